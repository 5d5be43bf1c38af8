using static TorchSharp.torch;

namespace FunctionsPipeline.Phi3Vision;

/// <summary>
/// A <see cref="ModelInput"/> whose shapes, types and values have been checked. A mismatch that reaches the native library may end the
/// process, and an id outside the vocabulary ends a GPU's context: so they are found here.
/// </summary>
/// <param name="ImagePositions">Indices of image positions in the flattened [B · L].</param>
/// <param name="Grids">Rows and columns of crops of each image.</param>
/// <param name="HasPadding">Whether the attention mask has a zero.</param>
internal sealed record CheckedInput(long Batch, long Length, long[] ImagePositions, IReadOnlyList<(int Rows, int Columns)> Grids, bool HasPadding)
{
    /// <exception cref="ArgumentException">Names what does not fit.</exception>
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
        var ids = Values(input.InputIds);
        Require(ids.Max() < config.VocabSize, $"InputIds hold {ids.Max()}, but the vocabulary has {config.VocabSize} tokens.");
        var images = Enumerable.Range(0, ids.Length).Where(i => ids[i] < 0).Select(i => (long)i).ToArray();
        var grids = ReadGrids(input);
        var expected = grids.Sum(grid => (long)ProcessedImage.TokensOf(grid.Rows, grid.Columns));
        Require(images.Length == expected, $"InputIds have {images.Length} image positions, but the images take {expected}.");
        var padding = input.AttentionMask is not null && Values(input.AttentionMask).Contains(0);
        return new CheckedInput(batch, length, images, grids, padding);
    }

    /// <summary>The values of an integer tensor.</summary>
    public static long[] Values(Tensor tensor)
    {
        using var scope = NewDisposeScope();
        return tensor.cpu().to(ScalarType.Int64).contiguous().data<long>().ToArray();
    }

    private static List<(int Rows, int Columns)> ReadGrids(ModelInput input)
    {
        if (input.PixelValues is null && input.ImageSizes is null) return [];
        Require(input.PixelValues is not null && input.ImageSizes is not null, "PixelValues and ImageSizes belong together.");
        const int side = Phi3VisionConfig.ViewSize;
        var pixels = input.PixelValues!.shape;
        Require(pixels is [> 0, > 0, 3, side, side], $"PixelValues must be [N, K, 3, {side}, {side}], but are {Describe(input.PixelValues)}.");
        Require(input.ImageSizes!.shape is [var images, 2] && images == pixels[0], $"ImageSizes must be [{pixels[0]}, 2], but are {Describe(input.ImageSizes)}.");
        var sizes = Values(input.ImageSizes);
        var grids = new List<(int, int)>();
        for (var i = 0; i < pixels[0]; i++)
        {
            var (height, width) = (sizes[2 * i], sizes[2 * i + 1]);
            Require(height > 0 && width > 0 && height % side == 0 && width % side == 0, $"Image {i} is {width}×{height}, but sides must be multiples of {side}.");
            Require(height / side * (width / side) < pixels[1], $"Image {i} has {height / side * (width / side)} crops, but PixelValues hold {pixels[1] - 1}.");
            grids.Add(((int)(height / side), (int)(width / side)));
        }
        return grids;
    }

    private static void RequireShape(Tensor? tensor, string name, long rows, long columns) =>
        Require(tensor is null || tensor.shape is [var r, var c] && r == rows && c == columns && tensor.dtype == ScalarType.Int64,
            tensor is null ? "" : $"{name} must be I64 [{rows}, {columns}], but is {Describe(tensor)}.");

    private static string Describe(Tensor tensor) => $"{tensor.dtype} [{string.Join(", ", tensor.shape)}]";

    private static void Require(bool condition, string message)
    {
        if (!condition) throw new ArgumentException(message, "input");
    }
}
