using System.Diagnostics;
using FunctionsPipeline.Phi3Vision;

namespace FunctionsPipeline.Tests.Phi3Vision;

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
