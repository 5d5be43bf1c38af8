using System.Diagnostics;
using System.Text.Json;
using FunctionsPipeline.Phi3Vision.Text;
using FunctionsPipeline.Tests;

namespace FunctionsPipeline.Phi3Vision.Tests.Text;

/// <summary>
/// The published tokenizer, cut down to the pieces and merges that these texts can need (<c>Fixtures/tokenizer</c>): the ids are the
/// published ones.
/// </summary>
public sealed class TokenizerTests
{
    private static readonly string Folder = Path.Combine(AppContext.BaseDirectory, "Fixtures", "tokenizer");
    private static readonly Tokenizer Excerpt = Tokenizer.Load(Folder);
    private static readonly TokenizerCases Cases = new(Folder, Excerpt);

    [Fact]
    public void Texts_get_the_ids_of_the_published_tokenizer_and_come_back() => Cases.Texts();

    [Fact]
    public void Ids_without_a_meaning_and_bytes_that_are_not_text_decode_like_the_published_tokenizer() => Cases.Decoding();

    [Fact]
    public void Prompts_with_images_get_the_ids_of_the_published_processor() => Cases.Prompts();

    [Fact]
    public void Prompts_that_the_published_processor_refuses_are_refused() => Cases.RefusedPrompts();

    [Fact]
    public void A_tag_is_numbered_in_any_digits_and_a_number_too_large_is_none()
    {
        Assert.Equal([1, -1, -1, 1], PromptBuilder.Build(Excerpt, "<|image_００１|>", [2]));
        Assert.Equal([1, -1, -1, 1], PromptBuilder.Build(Excerpt, $"<|image_{new string('0', 100)}1|>", [2]));
        Assert.Throws<ArgumentException>(() => PromptBuilder.Build(Excerpt, "<|image_99999999999999999999|>", [2]));
    }

    [Fact]
    public void A_token_swallows_what_unicode_calls_white_space_and_nothing_else()
    {
        int[] white =
            [.. Enumerable.Range(9, 5), 0x20, 0x85, 0xA0, 0x1680, .. Enumerable.Range(0x2000, 11), 0x2028, 0x2029, 0x202F, 0x205F, 0x3000];
        for (var c = 0; c < 0xD800; c++)
        {
            var alone = Excerpt.Encode($"<|assistant|>{(char)c}", addBos: false).Length == 1;
            Assert.Equal(white.Contains(c), alone);
            Assert.True(Excerpt.Encode($"<|user|>{(char)c}", addBos: false).Length > 1);
        }
    }

    [Fact]
    public void Half_a_surrogate_pair_counts_as_the_replacement_character()
    {
        foreach (var text in new[] { "a\uD83E", "\uDDE3a", "\uD83E\uD83E", "\uDDE3\uD83E" })
            Assert.Equal(Excerpt.Encode(text.Replace('\uD83E', '\uFFFD').Replace('\uDDE3', '\uFFFD')), Excerpt.Encode(text));
    }

    [Theory]
    [InlineData("the same word again and again ")]
    [InlineData("a")]
    [InlineData("ab")]
    [InlineData(" ")]
    [InlineData("=")]
    [InlineData("\n")]
    [InlineData("<|")]
    [InlineData("价")]
    [InlineData("<|end|>")]
    public void A_long_text_takes_time_in_proportion(string part)
    {
        var text = string.Concat(Enumerable.Repeat(part, 1_000_000 / part.Length));
        var time = Stopwatch.StartNew();
        var ids = Excerpt.Encode(text, addBos: false);
        // Seconds at the very most; what is quadratic takes the best part of an hour.
        Assert.InRange(time.Elapsed, TimeSpan.Zero, TimeSpan.FromMinutes(1));
        Assert.Equal(text, Excerpt.Decode(ids, skipSpecial: false));
    }
}

/// <summary>The real tokenizer's files against ids that the reference implementation gave.</summary>
public sealed class TokenizerGoldenTests
{
    private const string Folder = "golden/tokenizer";
    private static readonly Lazy<TokenizerCases> Cases =
        new(() => new(TestData.Path(Folder), Tokenizer.Load(TestData.Path("data/phi3v-tokenizer"))));

    [TestDataFact($"{Folder}/cases.jsonl")]
    public void Texts_get_the_ids_of_the_published_tokenizer_and_come_back() => Cases.Value.Texts();

    [TestDataFact($"{Folder}/decode_cases.jsonl")]
    public void Ids_without_a_meaning_and_bytes_that_are_not_text_decode_like_the_published_tokenizer() => Cases.Value.Decoding();

    [TestDataFact($"{Folder}/prompt_cases.jsonl")]
    public void Prompts_with_images_get_the_ids_of_the_published_processor() => Cases.Value.Prompts();

    [TestDataFact($"{Folder}/prompt_error_cases.jsonl")]
    public void Prompts_that_the_published_processor_refuses_are_refused() => Cases.Value.RefusedPrompts();
}

/// <summary>Recorded answers of the published tokenizer and processor, in a folder of .jsonl files, against ours.</summary>
internal sealed class TokenizerCases(string folder, Tokenizer tokenizer)
{
    public void Texts()
    {
        foreach (var line in Lines("cases.jsonl"))
        {
            var text = Text(line, "text");
            Assert.Equal(Ids(line, "ids"), tokenizer.Encode(text));
            Assert.Equal(Ids(line, "ids_no_bos"), tokenizer.Encode(text, addBos: false));
            // The white space that an added token swallows is recorded with it.
            var tokens = line.GetProperty("tokens").EnumerateArray().Select(token => token.GetString()!);
            Assert.Equal(
                tokens.Select(token => token.StartsWith('<') ? token.TrimEnd() : token), Ids(line, "ids_no_bos").Select(tokenizer.Token));
            Assert.Equal(Text(line, "decoded"), tokenizer.Decode(Ids(line, "ids"), skipSpecial: false));
            Assert.Equal(Text(line, "decoded_skip_special"), tokenizer.Decode(Ids(line, "ids")));
            Assert.Equal(Text(line, "decoded_no_bos"), tokenizer.Decode(Ids(line, "ids_no_bos"), skipSpecial: false));
        }
    }

    public void Decoding()
    {
        foreach (var line in Lines("decode_cases.jsonl"))
        {
            Assert.Equal(Text(line, "decoded"), tokenizer.Decode(Ids(line, "ids"), skipSpecial: false));
            Assert.Equal(Text(line, "decoded_skip_special"), tokenizer.Decode(Ids(line, "ids")));
        }
    }

    public void Prompts()
    {
        foreach (var line in Lines("prompt_cases.jsonl"))
        {
            var ids = PromptBuilder.Build(tokenizer, Text(line, "prompt"), Ids(line, "num_img_tokens"));
            var runs = line.GetProperty("input_ids_rle").EnumerateArray();
            Assert.Equal(runs.SelectMany(run => Enumerable.Repeat(run[0].GetInt32(), run[1].GetInt32())), ids);
            Assert.Equal(line.GetProperty("length").GetInt32(), ids.Length);
            if (line.TryGetProperty("input_ids", out _)) Assert.Equal(Ids(line, "input_ids"), ids);
            if (line.GetProperty("chunks") is not { ValueKind: JsonValueKind.Array } chunks) continue;
            foreach (var chunk in chunks.EnumerateArray()) Assert.Equal(Ids(chunk, "ids"), tokenizer.Encode(Text(chunk, "text")));
        }
    }

    public void RefusedPrompts()
    {
        foreach (var line in Lines("prompt_error_cases.jsonl"))
        {
            var error = Assert.Throws<ArgumentException>(
                () => PromptBuilder.Build(tokenizer, Text(line, "prompt"), Ids(line, "num_img_tokens")));
            Assert.Equal(Text(line, "error").Contains("continuous") ? "prompt" : "imageTokens", error.ParamName);
        }
    }

    private List<JsonElement> Lines(string file)
    {
        var lines = File.ReadLines(Path.Combine(folder, file)).Select(line => JsonDocument.Parse(line).RootElement).ToList();
        Assert.NotEmpty(lines);
        return lines;
    }

    private static string Text(JsonElement line, string key) => line.GetProperty(key).GetString()!;

    private static int[] Ids(JsonElement line, string key) => [.. line.GetProperty(key).EnumerateArray().Select(id => id.GetInt32())];
}
