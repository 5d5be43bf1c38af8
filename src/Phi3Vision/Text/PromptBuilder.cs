using System.Globalization;
using System.Text.RegularExpressions;
using FunctionsPipeline.Phi3Vision.Images;

namespace FunctionsPipeline.Phi3Vision.Text;

/// <summary>Converts a prompt with image tags to token ids, as the published processor does.</summary>
public static partial class PromptBuilder
{
    /// <summary>
    /// Splits the prompt at its tags <c>&lt;|image_k|&gt;</c>, tokenizes every chunk of text separately (each with its own begin token),
    /// and inserts <c>-k</c> once for each token of image k in between. Without images the tags are ordinary text.
    /// </summary>
    /// <param name="imageTokens">Number of tokens of each image, <see cref="ProcessedImage.Tokens"/>; image k is entry k - 1.</param>
    /// <exception cref="ArgumentException">The tags are not numbered 1 to the number of images.</exception>
    public static int[] Build(Tokenizer tokenizer, string prompt, IReadOnlyList<int> imageTokens)
    {
        if (imageTokens.Count == 0) return tokenizer.Encode(prompt);
        var tags = ImageTag().Matches(prompt);
        var numbers = tags.Select(tag => Number(tag.Groups[1].ValueSpan)).ToList();
        var distinct = numbers.Distinct().Order().ToList();
        if (!distinct.SequenceEqual(Enumerable.Range(1, distinct.Count)))
            throw new ArgumentException("Image tags must be numbered from <|image_1|> without gaps.", nameof(prompt));
        if (distinct.Count != imageTokens.Count)
        {
            throw new ArgumentException(
                $"The prompt has tags for {distinct.Count} images, but {imageTokens.Count} are given.", nameof(imageTokens));
        }

        var ids = new List<int>();
        var start = 0;
        for (var i = 0; i < tags.Count; i++)
        {
            ids.AddRange(tokenizer.Encode(prompt[start..tags[i].Index]));
            ids.AddRange(Enumerable.Repeat(-numbers[i], imageTokens[numbers[i] - 1]));
            start = tags[i].Index + tags[i].Length;
        }
        ids.AddRange(tokenizer.Encode(prompt[start..]));
        return [.. ids];
    }

    private static int Number(ReadOnlySpan<char> digits)
    {
        var number = 0L;
        foreach (var digit in digits)
        {
            number = number * 10 + CharUnicodeInfo.GetDecimalDigitValue(digit);
            if (number > int.MaxValue) throw new ArgumentException($"<|image_{digits}|> is not an image number.", "prompt");
        }
        return (int)number;
    }

    // \d matches digits of any script, as in the published processor's expression.
    [GeneratedRegex(@"<\|image_(\d+)\|>", RegexOptions.CultureInvariant)]
    private static partial Regex ImageTag();
}
