using TorchSharp;
using static TorchSharp.torch;

namespace FunctionsPipeline.Phi3Vision;

/// <summary>Number of padding positions at the left of each prompt in a batch.</summary>
internal sealed class LeftPadding
{
    private readonly int[] _counts;

    private LeftPadding(int[] counts) => _counts = counts;

    /// <summary>Reads an attention mask, I64 [B, L].</summary>
    /// <returns>The padding; null when nothing is padding.</returns>
    /// <exception cref="ArgumentException">The mask has another shape, or a zero after the beginning of a row.</exception>
    public static LeftPadding? Of(Tensor? mask, int rows, int length)
    {
        if (mask is null) return null;
        if (!(mask.shape is [var r, var l] && r == rows && l == length))
            throw new ArgumentException($"AttentionMask must be I64 [{rows}, {length}], but is [{string.Join(", ", mask.shape)}].");
        var values = CheckedInput.Values(mask).Chunk(length).ToArray();
        var counts = values.Select(row => row.TakeWhile(value => value == 0).Count()).ToArray();
        if (values.Any(row => row[^1] == 0 || row.SkipWhile(value => value == 0).Any(value => value == 0)))
            throw new ArgumentException("Prompts must be padded on the left, and only there.");
        return counts.All(count => count == 0) ? null : new LeftPadding(counts);
    }

    /// <summary>Returns the number of padding positions of a row.</summary>
    public int Count(int row) => _counts[row];

    /// <summary>
    /// Makes position ids, I64 [B, length], from column <paramref name="start"/>: column - padding, or 1 for padding as in the published
    /// code.
    /// </summary>
    public Tensor Positions(int start, int length) =>
        torch.tensor(
            _counts.SelectMany(count => Enumerable.Range(start, length).Select(i => i < count ? 1L : i - count)).ToArray(),
            [_counts.Length, length]);

    /// <summary>Makes the attention mask, I64 [B, length]: 0 for padding, 1 for real positions.</summary>
    public Tensor Mask(int length) =>
        torch.tensor(
            _counts.SelectMany(count => Enumerable.Range(0, length).Select(i => i < count ? 0L : 1L)).ToArray(),
            [_counts.Length, length]);
}
