using System.Text.Json;
using FunctionsPipeline.Contracts;
using FunctionsPipeline.FineTuning.Data;
using FunctionsPipeline.Phi3Vision.Text;
using FunctionsPipeline.Tests;

namespace FunctionsPipeline.FineTuning.Tests.Data;

public sealed class RowBuilderTests
{
    private const string Golden = "golden/tokenizer/prompt_cases.jsonl";

    private static readonly Tokenizer Tokens = SmallModel.Tokenizer;
    private static readonly RowBuilder Rows = new(Tokens, new ServingSettings());

    [Fact]
    public void A_row_is_BOS_the_prompt_with_its_own_BOS_in_each_chunk_the_answer_and_the_ends()
    {
        var row = Rows.Row(imageTokens: [3], new Answer(null, "Hats", null));
        int[] expected =
        [
            1,
            1, .. Tokens.Encode("<|user|>\n", addBos: false), -1, -1, -1,
            1, .. Tokens.Encode("What is shown in this image?<|end|><|assistant|>\n", addBos: false),
            .. Tokens.Encode("Category: Hats", addBos: false), Tokens.Id("<|end|>"),
            .. Tokens.Encode("\n", addBos: false), Tokens.Id("<|endoftext|>"),
        ];
        Assert.Equal(expected, row.Ids);
        Assert.Equal(expected[..row.AnswerStart], Rows.Prompt(imageTokens: 3));
        Assert.Equal(expected[..row.AnswerStart], row.PromptOnly().Ids);
    }

    [Theory]
    [InlineData(3)]
    [InlineData(3, 2)]
    [InlineData(1, 1, 4)]
    public void Several_images_follow_each_other_with_a_chunk_without_text_between_them(params int[] imageTokens)
    {
        var answer = new Answer(null, "Hats", null);
        var row = Rows.Row(imageTokens, answer);
        int[] expected =
        [
            1,
            1, .. Tokens.Encode("<|user|>\n", addBos: false),
            .. imageTokens.SelectMany((tokens, i) => (int[])[.. Enumerable.Repeat(-1 - i, tokens), 1]),
            .. Tokens.Encode("What is shown in this image?<|end|><|assistant|>\n", addBos: false),
        ];
        Assert.Equal(expected, Rows.Prompt(imageTokens));
        Assert.Equal(expected, row.PromptOnly().Ids);
        Assert.Equal(row.Ids.Length, Rows.Length(imageTokens, answer));
        var one = Rows.Row([3], answer);
        Assert.Equal(one.Ids[one.AnswerStart..], row.Ids[row.AnswerStart..]);
        Assert.DoesNotContain(row.Labels(), label => label is < 0 and not TrainingRow.Ignored);
    }

    [TestDataFact(Golden)]
    public void Prompts_with_several_images_get_the_ids_of_the_published_processor()
    {
        var tokenizer = Tokenizer.Load(TestData.Path("data/phi3v-tokenizer"));
        var line = File.ReadLines(TestData.Path(Golden)).Single(one => one.Contains("<|image_1|><|image_2|><|image_3|>Which costs most?"));
        var golden = JsonSerializer.Deserialize<JsonElement>(line);
        var rows = new RowBuilder(tokenizer, new ServingSettings { Question = "Which costs most?" });
        Assert.Equal([1, .. Numbers("input_ids")], rows.Prompt(Numbers("num_img_tokens")));

        int[] Numbers(string name) => [.. golden.GetProperty(name).EnumerateArray().Select(number => number.GetInt32())];
    }

    [Fact]
    public void The_templates_decide_what_stands_around_the_image_and_how_the_answer_is_written()
    {
        var rows = new RowBuilder(Tokens, new ServingSettings
        {
            Question = "What?",
            PromptTemplate = "<|user|>\n{question} <|image_1|><|end|>\n<|assistant|>\n",
            AnswerTemplate = "a {category}, at {price}",
        });
        var row = rows.Row(imageTokens: [2], new Answer("Red Hat", "Hats", 249.5));
        int[] expected =
        [
            1,
            1, .. Tokens.Encode("<|user|>\nWhat? ", addBos: false), -1, -1,
            1, .. Tokens.Encode("<|end|>\n<|assistant|>\n", addBos: false),
            .. Tokens.Encode("a Hats, at 249.5<|end|>\n<|endoftext|>", addBos: false),
        ];
        Assert.Equal(expected, row.Ids);
        Assert.Equal(new Answer(null, "Hats", 249.5), rows.Read("a Hats, at 249.5"));
        Assert.Null(rows.Read("Category: Hats"));
    }

    [Fact]
    public void The_length_is_known_without_the_row()
    {
        var answer = new Answer("Red Hat", "Hats", 249.5);
        Assert.Equal(Rows.Row(imageTokens: [313], answer).Ids.Length, Rows.Length(imageTokens: [313], answer));
        Assert.Equal(Tokens.Encode(answer.ToString(), addBos: false).Length, Rows.AnswerLength(answer));
    }

    [Fact]
    public void Labels_are_the_answer_and_nothing_before_it()
    {
        var row = Rows.Row(imageTokens: [3], new Answer(null, "Hats", null));
        var labels = row.Labels();
        Assert.All(labels[..row.AnswerStart], label => Assert.Equal(-100, label));
        Assert.Equal(row.Ids[row.AnswerStart..], labels[row.AnswerStart..]);
        Assert.All(labels[row.AnswerStart..], label => Assert.True(label > 0));
    }

    [Fact]
    public void What_a_model_would_generate_is_decoded_to_the_answer()
    {
        var answer = new Answer("Red Hat", "Hats", 249.5);
        var row = Rows.Row(imageTokens: [1], answer);
        var generated = row.Ids[row.AnswerStart..].TakeWhile(id => !Rows.StopTokens.Contains(id));
        Assert.Equal(answer, Rows.Read(Rows.Decode(generated)));
    }

    [Theory]
    [InlineData("Hats", "Hats")]
    [InlineData("Kåpe 😀", "Kååpe 😀😀😀😀")]
    public void The_ids_of_a_field_are_those_that_spell_any_of_it(string category, string spelled)
    {
        var ids = Tokens.Encode($"Category: {category}, Full Price: 12.5", addBos: false);
        var (text, spans) = Tokens.DecodeWithSpans(ids);
        var fields = Rows.FieldIds(ids).ToDictionary(
            field => field.Key, field => string.Concat(field.Value.Select(i => text[spans[i].Start..spans[i].End])).TrimStart());
        // Letters that the vocabulary lacks take a token for each of their bytes.
        Assert.Equal(new Dictionary<string, string> { ["category"] = spelled, ["price"] = "12.5" }, fields);
    }

    [Fact]
    public void Text_that_is_no_answer_has_no_fields() => Assert.Empty(Rows.FieldIds(Tokens.Encode("a hat", addBos: false)));
}
