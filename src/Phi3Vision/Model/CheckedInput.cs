using static TorchSharp.torch;

namespace FunctionsPipeline.Phi3Vision;

/// <summary>
/// A <see cref="ModelInput"/> whose shapes, types and values have been checked. The check is here because a mismatch that reaches the
/// native library may end the process, and an id outside the vocabulary ends a GPU's context.
/// </summary>
/// <param name="Batch">Number of rows to compute: the rows of the ids, or the samples of a pack whose samples have equal lengths.</param>
/// <param name="Length">Number of positions of a row.</param>
/// <param name="Segments">Lengths of a pack's samples where they differ; null otherwise.</param>
/// <param name="ImagePositions">Indices of image positions in the flattened [B · L].</param>
/// <param name="Grids">Rows and columns of crops of each image.</param>
/// <param name="HasPadding">True when the attention mask has a zero.</param>
internal sealed record CheckedInput(
    long Batch, long Length, long[]? Segments, long[] ImagePositions, IReadOnlyList<(int Rows, int Columns)> Grids, bool HasPadding)
{
    /// <exception cref="ArgumentException">A shape, type or value does not fit; the message names it.</exception>
    public static CheckedInput Create(ModelInput input, Phi3VisionConfig config, KeyValueCache? cache)
    {
        var shape = input.InputIds.shape;
        Require(shape.Length == 2 && input.InputIds.dtype == ScalarType.Int64 && shape[0] > 0 && shape[1] > 0, $"InputIds must be I64 [B, L], but are {Describe(input.InputIds)}.");
        var (batch, length) = (shape[0], shape[1]);
        var cached = cache?.Length ?? 0;
        if (cache is not null)
        {
            Require(cache.Batch == batch, $"The cache has {cache.Batch} rows, but InputIds have {batch}.");
            Require(cached + length <= cache.Capacity, $"The cache has room for {cache.Capacity} positions, but {cached + length} are needed.");
        }
        RequireShape(input.AttentionMask, "AttentionMask", batch, cached + length);
        RequireShape(input.PositionIds, "PositionIds", batch, length);
        if (input.SegmentLengths is not null) CheckPack(input, cache);
        var ids = Values(input.InputIds);
        Require(ids.Max() < config.VocabSize, $"InputIds hold {ids.Max()}, but the vocabulary has {config.VocabSize} tokens.");
        var images = Enumerable.Range(0, ids.Length).Where(i => ids[i] < 0).Select(i => (long)i).ToArray();
        var grids = CheckedImages.Grids(input, config);
        var expected = grids.Sum(grid => (long)ProcessedImage.TokensOf(grid.Rows, grid.Columns));
        Require(images.Length == expected, $"InputIds have {images.Length} image positions, but the images take {expected}.");
        var padding = input.AttentionMask is not null && Values(input.AttentionMask).Contains(0);
        // A pack of samples of equal length is a batch without padding: one attention call in place of one per sample.
        return input.SegmentLengths switch
        {
            null => new CheckedInput(batch, length, null, images, grids, padding),
            [var first, ..] same when same.All(segment => segment == first) => new CheckedInput(same.Count, first, null, images, grids, padding),
            var segments => new CheckedInput(batch, length, [.. segments], images, grids, padding),
        };
    }

    /// <summary>Copies the values of an integer tensor to managed memory.</summary>
    public static long[] Values(Tensor tensor)
    {
        using var scope = NewDisposeScope();
        return tensor.cpu().to(ScalarType.Int64).contiguous().data<long>().ToArray();
    }

    /// <summary>Formats a tensor's type and shape for a message.</summary>
    public static string Describe(Tensor tensor) => $"{tensor.dtype} [{string.Join(", ", tensor.shape)}]";

    /// <exception cref="ArgumentException">The condition does not hold.</exception>
    public static void Require(bool condition, string message)
    {
        if (!condition) throw new ArgumentException(message, "input");
    }

    private static void CheckPack(ModelInput input, KeyValueCache? cache)
    {
        var (rows, length) = (input.InputIds.shape[0], input.InputIds.shape[1]);
        var segments = input.SegmentLengths!;
        Require(rows == 1, $"SegmentLengths divide one row, but InputIds have {rows}.");
        Require(segments.All(segment => segment > 0) && segments.Sum() == length, $"SegmentLengths [{string.Join(", ", segments)}] do not divide {length} positions.");
        Require(input.AttentionMask is null && input.PositionIds is null && cache is null, "SegmentLengths cannot be used with AttentionMask, PositionIds or a cache.");
    }

    private static void RequireShape(Tensor? tensor, string name, long rows, long columns) =>
        Require(tensor is null || tensor.shape is [var r, var c] && r == rows && c == columns && tensor.dtype == ScalarType.Int64,
            tensor is null ? "" : $"{name} must be I64 [{rows}, {columns}], but is {Describe(tensor)}.");
}
