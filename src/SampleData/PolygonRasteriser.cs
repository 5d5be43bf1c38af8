using System.Numerics;
using SixLabors.ImageSharp;
using SixLabors.ImageSharp.PixelFormats;

namespace FunctionsPipeline.SampleData;

/// <summary>Fills polygons with anti-aliased edges: four scan lines per pixel row, with exact horizontal coverage along each.</summary>
public static class PolygonRasteriser
{
    private const int LinesPerPixel = 4;

    /// <summary>Fills the inside of a polygon (even-odd rule).</summary>
    /// <param name="image">The image to draw on.</param>
    /// <param name="corners">Corners in pixels, y downwards; the polygon is closed implicitly.</param>
    /// <param name="colour">Returns the colour at a pixel.</param>
    public static void Fill(Image<Rgb24> image, IReadOnlyList<Vector2> corners, Func<int, int, Rgb24> colour)
    {
        var coverage = new float[image.Width];
        var top = Math.Max(0, (int)MathF.Floor(corners.Min(c => c.Y)));
        var bottom = Math.Min(image.Height, (int)MathF.Ceiling(corners.Max(c => c.Y)));
        for (var y = top; y < bottom; y++)
        {
            Array.Clear(coverage);
            for (var line = 0; line < LinesPerPixel; line++)
                AddLine(coverage, Crossings(corners, y + ((line + 0.5f) / LinesPerPixel)));
            for (var x = 0; x < image.Width; x++)
                if (coverage[x] > 0) image[x, y] = Blend(image[x, y], colour(x, y), Math.Min(coverage[x], 1));
        }
    }

    /// <summary>Interpolates linearly between two colours: <paramref name="share"/> 0 gives the first, 1 the second.</summary>
    public static Rgb24 Blend(Rgb24 from, Rgb24 to, float share)
    {
        byte Channel(byte a, byte b) => (byte)MathF.Round(a + ((b - a) * share));
        return new Rgb24(Channel(from.R, to.R), Channel(from.G, to.G), Channel(from.B, to.B));
    }

    private static List<float> Crossings(IReadOnlyList<Vector2> corners, float y)
    {
        var crossings = new List<float>();
        for (var i = 0; i < corners.Count; i++)
        {
            var (a, b) = (corners[i], corners[(i + 1) % corners.Count]);
            if (a.Y <= y != b.Y <= y) crossings.Add(a.X + ((y - a.Y) / (b.Y - a.Y) * (b.X - a.X)));
        }
        crossings.Sort();
        return crossings;
    }

    private static void AddLine(float[] coverage, List<float> crossings)
    {
        for (var i = 0; i + 1 < crossings.Count; i += 2)
        {
            var (left, right) = (Math.Max(crossings[i], 0), Math.Min(crossings[i + 1], coverage.Length));
            for (var x = (int)left; x < right; x++)
                coverage[x] += (Math.Min(right, x + 1) - Math.Max(left, x)) / LinesPerPixel;
        }
    }
}
