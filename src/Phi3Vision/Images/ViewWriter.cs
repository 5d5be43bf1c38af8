namespace FunctionsPipeline.Phi3Vision;

/// <summary>
/// Makes the views of a padded picture that comes row by row: cuts each row into crops, normalises it, and adds it to the global view.
/// </summary>
internal sealed class ViewWriter : IDisposable
{
    private const int Side = Phi3VisionConfig.ViewSize;
    private const int Plane = Side * Side;

    private readonly int _columns;
    private readonly float[] _pixels;
    private readonly GlobalView _global;
    private int _y;

    /// <param name="width">Width of the padded picture, pixels, a multiple of 336.</param>
    /// <param name="height">Its height, pixels, a multiple of 336.</param>
    public ViewWriter(int width, int height)
    {
        _columns = width / Side;
        var (rows, views) = (height / Side, height / Side * _columns + 1);
        // Every value is written: the global view's rows and the crops' rows.
        _pixels = GC.AllocateUninitializedArray<float>(checked(views * 3 * Plane));
        _global = new GlobalView(width, height, _pixels.AsMemory(0, 3 * Plane));
        Image = new ProcessedImage(_pixels, views, height, width, ProcessedImage.TokensOf(rows, _columns));
    }

    /// <summary>The views, complete after the last row.</summary>
    public ProcessedImage Image { get; }

    /// <summary>Takes the next row, interleaved RGB.</summary>
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
