namespace FunctionsPipeline.Phi3Vision;

/// <summary>
/// Makes the views of a padded image from its rows: cuts each row into crops, normalises them, and adds the row to the global view.
/// </summary>
internal sealed class ViewWriter : IDisposable
{
    private const int Side = Phi3VisionConfig.ViewSize;
    private const int Plane = Side * Side;

    private readonly int _columns;
    private readonly float[] _pixels;
    private readonly GlobalView _global;
    private int _y;

    /// <param name="width">Width of the padded image in pixels, a multiple of 336.</param>
    /// <param name="height">Height of the padded image in pixels, a multiple of 336.</param>
    public ViewWriter(int width, int height)
    {
        _columns = width / Side;
        var (rows, views) = (height / Side, height / Side * _columns + 1);
        // Uninitialised memory is safe: the rows of the global view and of the crops cover every value.
        _pixels = GC.AllocateUninitializedArray<float>(checked(views * 3 * Plane));
        _global = new GlobalView(width, height, _pixels.AsMemory(0, 3 * Plane));
        Image = new ProcessedImage(_pixels, views, height, width, ProcessedImage.TokensOf(rows, _columns));
    }

    /// <summary>The views, complete once the last row has been added.</summary>
    public ProcessedImage Image { get; }

    /// <summary>Adds the next row, interleaved RGB.</summary>
    public void Add(ReadOnlySpan<byte> row)
    {
        for (var column = 0; column < _columns; column++)
        {
            var crop = 1 + _y / Side * _columns + column;
            var target = _pixels.AsSpan(crop * 3 * Plane + _y % Side * Side);
            var pixels = row.Slice(column * Side * 3, Side * 3);
            PixelNormalizer.Normalize(pixels, target[..Side], target.Slice(Plane, Side), target.Slice(2 * Plane, Side));
        }
        _global.Add(row);
        _y++;
    }

    public void Dispose() => _global.Dispose();
}
