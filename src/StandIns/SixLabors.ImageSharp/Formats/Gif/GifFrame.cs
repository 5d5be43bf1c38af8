using SixLabors.ImageSharp.PixelFormats;

namespace SixLabors.ImageSharp.Formats.Gif;

/// <summary>A frame of a GIF as it is stored.</summary>
internal readonly ref struct GifFrame
{
    /// <summary>Where it lies on the logical screen; it may reach over the edge.</summary>
    public required Rectangle Area { get; init; }

    public required bool Interlaced { get; init; }

    /// <summary>Its own colours, or those of the file.</summary>
    public required ReadOnlySpan<Rgb24> Colours { get; init; }

    /// <summary>The index that stands for no colour.</summary>
    public required int? Transparent { get; init; }

    /// <summary>The index of the colour around the frame.</summary>
    public required byte Background { get; init; }

    public required byte MinimumCodeSize { get; init; }

    public required ReadOnlySpan<byte> Codes { get; init; }

    /// <summary>Which row of the frame is stored as the nth.</summary>
    public int Row(int n)
    {
        if (!Interlaced) return n;
        foreach (var (first, step) in (ReadOnlySpan<(int, int)>)[(0, 8), (4, 8), (2, 4), (1, 2)])
        {
            var rows = (Area.Height - first + step - 1) / step;
            if (n < rows) return first + (n * step);
            n -= Math.Max(rows, 0);
        }
        return Area.Height - 1;
    }
}
