using System.Text.Json;
using FunctionsPipeline.Phi3Vision;

namespace FunctionsPipeline.Tests.Phi3Vision;

/// <summary>The real tokenizer's files against ids that the reference implementation gave.</summary>
public sealed class TokenizerGoldenTests
{
    private static readonly Lazy<Tokenizer> Published = new(() => Tokenizer.Load(TestData.Path("data/phi3v-tokenizer")));

    [TestDataFact("golden/tokenizer/cases.jsonl")]
    public void Texts_get_the_ids_of_the_published_tokenizer_and_come_back()
    {
        foreach (var line in Lines("cases.jsonl"))
        {
            var text = Text(line, "text");
            Assert.Equal(Ids(line, "ids"), Published.Value.Encode(text));
            Assert.Equal(Ids(line, "ids_no_bos"), Published.Value.Encode(text, addBos: false));
            Assert.Equal(Text(line, "decoded"), Published.Value.Decode(Ids(line, "ids"), skipSpecial: false));
            Assert.Equal(Text(line, "decoded_skip_special"), Published.Value.Decode(Ids(line, "ids")));
            Assert.Equal(Text(line, "decoded_no_bos"), Published.Value.Decode(Ids(line, "ids_no_bos"), skipSpecial: false));
        }
    }

    [TestDataFact("golden/tokenizer/decode_cases.jsonl")]
    public void Ids_without_a_meaning_and_bytes_that_are_not_text_decode_like_the_published_tokenizer()
    {
        foreach (var line in Lines("decode_cases.jsonl"))
        {
            Assert.Equal(Text(line, "decoded"), Published.Value.Decode(Ids(line, "ids"), skipSpecial: false));
            Assert.Equal(Text(line, "decoded_skip_special"), Published.Value.Decode(Ids(line, "ids")));
        }
    }

    [TestDataFact("golden/tokenizer/prompt_cases.jsonl")]
    public void Prompts_with_images_get_the_ids_of_the_published_processor()
    {
        foreach (var line in Lines("prompt_cases.jsonl"))
        {
            var expected = line.GetProperty("input_ids_rle").EnumerateArray().SelectMany(run => Enumerable.Repeat(run[0].GetInt32(), run[1].GetInt32()));
            Assert.Equal(expected, PromptBuilder.Build(Published.Value, Text(line, "prompt"), Ids(line, "num_img_tokens")));
        }
    }

    [TestDataFact("golden/tokenizer/prompt_error_cases.jsonl")]
    public void Prompts_that_the_published_processor_refuses_are_refused()
    {
        foreach (var line in Lines("prompt_error_cases.jsonl"))
            Assert.Throws<ArgumentException>(() => PromptBuilder.Build(Published.Value, Text(line, "prompt"), Ids(line, "num_img_tokens")));
    }

    private static IEnumerable<JsonElement> Lines(string file)
    {
        var lines = File.ReadLines(TestData.Path($"golden/tokenizer/{file}")).Select(line => JsonDocument.Parse(line).RootElement).ToList();
        Assert.NotEmpty(lines);
        return lines;
    }

    private static string Text(JsonElement line, string key) => line.GetProperty(key).GetString()!;

    private static int[] Ids(JsonElement line, string key) => [.. line.GetProperty(key).EnumerateArray().Select(id => id.GetInt32())];
}
