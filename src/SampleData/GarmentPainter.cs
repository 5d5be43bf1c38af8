using System.Numerics;
using SixLabors.ImageSharp;
using SixLabors.ImageSharp.Formats.Jpeg;
using SixLabors.ImageSharp.PixelFormats;

namespace FunctionsPipeline.SampleData;

/// <summary>Draws garments on a white square, with small random variations of position, size and tone.</summary>
public static class GarmentPainter
{
    private static readonly Rgb24 White = new(255, 255, 255);
    private static readonly Rgb24 Black = new(0, 0, 0);

    /// <summary>Draws a garment as a JPEG file.</summary>
    /// <param name="garment">The garment to draw.</param>
    /// <param name="random">Source of the variations.</param>
    public static byte[] Jpeg(Garment garment, Random random)
    {
        using var image = Draw(garment, random);
        using var file = new MemoryStream();
        image.SaveAsJpeg(file, new JpegEncoder { Quality = 90 });
        return file.ToArray();
    }

    /// <summary>Draws a garment on a square of 400 to 600 pixels per side.</summary>
    public static Image<Rgb24> Draw(Garment garment, Random random)
    {
        var side = random.Next(400, 601);
        var scale = side * (0.86f + (0.12f * random.NextSingle()));
        // Pixels: the unit square of the outlines, scaled and centred, then moved by up to 2.5 % of the side.
        var place = new Vector2(side - scale) / 2 + (new Vector2(random.NextSingle() - 0.5f, random.NextSingle() - 0.5f) * 0.05f * side);
        var colour = Tone(garment.Colour, random);

        Rgb24 Cloth(int x, int y) => garment.Checked && InBand((new Vector2(x, y) - place) / scale)
            ? PolygonRasteriser.Blend(colour, White, 0.8f)
            : colour;

        Rgb24 Detail(int x, int y) => garment.Colour == GarmentColour.Black
            ? PolygonRasteriser.Blend(colour, White, 0.45f)
            : PolygonRasteriser.Blend(colour, Black, 0.55f);

        var image = new Image<Rgb24>(side, side, White);
        foreach (var polygon in Silhouettes.Cloth(garment.Kind)) PolygonRasteriser.Fill(image, Placed(polygon, place, scale), Cloth);
        foreach (var polygon in Silhouettes.Details(garment.Kind)) PolygonRasteriser.Fill(image, Placed(polygon, place, scale), Detail);
        return image;
    }

    private static Vector2[] Placed(Vector2[] polygon, Vector2 place, float scale) =>
        [.. polygon.Select(corner => place + (corner * scale))];

    private static bool InBand(Vector2 point)
    {
        const float Period = 0.15f, Width = 0.05f;
        return Math.Abs(point.X) % Period < Width || Math.Abs(point.Y) % Period < Width;
    }

    private static Rgb24 Tone(GarmentColour colour, Random random)
    {
        var (r, g, b) = colour switch
        {
            GarmentColour.Red => (210, 35, 40),
            GarmentColour.Yellow => (240, 205, 30),
            GarmentColour.Green => (35, 150, 65),
            GarmentColour.Blue => (35, 85, 205),
            GarmentColour.Purple => (150, 50, 165),
            GarmentColour.Black => (30, 30, 32),
            _ => throw new ArgumentOutOfRangeException(nameof(colour)),
        };
        byte Near(int channel) => (byte)Math.Clamp(channel + random.Next(-12, 13), 0, 255);
        return new Rgb24(Near(r), Near(g), Near(b));
    }
}

/// <summary>Outlines of the garments: polygons in a unit square, y downwards.</summary>
internal static class Silhouettes
{
    /// <summary>Polygons filled with the garment's colour and pattern.</summary>
    public static IReadOnlyList<Vector2[]> Cloth(GarmentKind kind) => kind switch
    {
        GarmentKind.Coat =>
        [
            Polygon(.30, .08, .42, .05, .50, .15, .58, .05, .70, .08, .98, .60, .84, .68, .71, .42, .76, .96, .24, .96, .29, .42, .16, .68,
                .02, .60),
        ],
        GarmentKind.Dress =>
        [
            Polygon(.35, .04, .42, .04, .45, .20, .55, .20, .58, .04, .65, .04, .67, .34, .61, .44, .94, .96, .06, .96, .39, .44, .33, .34),
        ],
        GarmentKind.Trousers => [Polygon(.24, .04, .76, .04, .88, .96, .61, .96, .50, .34, .39, .96, .12, .96)],
        GarmentKind.Hat => [Arc(.50, .64, .29, .46, 0.5, 1), Arc(.50, .68, .48, .16, 0, 1)],
        GarmentKind.Bag => [Polygon(.10, .40, .90, .40, .97, .95, .03, .95), Ring(.50, .42, .30, .37, .19, .26)],
        GarmentKind.Shoe => [Polygon(.04, .22, .34, .18, .42, .42, .66, .54, .90, .60, .97, .72, .97, .80, .04, .80)],
        _ => throw new ArgumentOutOfRangeException(nameof(kind)),
    };

    /// <summary>Polygons filled with a contrasting tone: seams, buttons, a hat's ribbon, a sole.</summary>
    public static IReadOnlyList<Vector2[]> Details(GarmentKind kind) => kind switch
    {
        GarmentKind.Coat => [Polygon(.49, .15, .51, .15, .51, .96, .49, .96), Arc(.57, .40, .02, .02, 0, 1), Arc(.57, .56, .02, .02, 0, 1)],
        GarmentKind.Dress => [Polygon(.38, .42, .62, .42, .62, .46, .38, .46)],
        GarmentKind.Trousers => [Polygon(.24, .04, .76, .04, .765, .09, .235, .09)],
        GarmentKind.Hat => [Polygon(.215, .56, .785, .56, .79, .63, .21, .63)],
        GarmentKind.Bag => [Polygon(.44, .40, .56, .40, .56, .54, .44, .54)],
        GarmentKind.Shoe => [Polygon(.03, .80, .98, .80, .98, .86, .36, .86, .30, .94, .03, .94)],
        _ => throw new ArgumentOutOfRangeException(nameof(kind)),
    };

    private static Vector2[] Polygon(params double[] numbers) =>
        [.. numbers.Chunk(2).Select(pair => new Vector2((float)pair[0], (float)pair[1]))];

    // Angles are in turns, starting at the right and clockwise on screen, as y points down: 0.5 to 1 is the upper half.
    private static Vector2[] Arc(double x, double y, double radiusX, double radiusY, double from, double to)
    {
        const int Corners = 48;
        return [.. Enumerable.Range(0, Corners + 1).Select(i => (from + ((to - from) * i / Corners)) * Math.Tau)
            .Select(angle => new Vector2((float)(x + (radiusX * Math.Cos(angle))), (float)(y + (radiusY * Math.Sin(angle)))))];
    }

    private static Vector2[] Ring(double x, double y, double outerX, double outerY, double innerX, double innerY) =>
        // Out along the outer arc and back along the inner one, in the opposite sense: one polygon without a hole.
        [.. Arc(x, y, outerX, outerY, 0.5, 1), .. Arc(x, y, innerX, innerY, 1, 0.5)];
}

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

    // The x at which edges cross the line, by linear interpolation between the corners. The half-open comparison counts a corner that
    // lies on the line for one of its two edges only.
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

    // Between each pair of crossings the line is inside. A pixel x gets the overlap with [x, x + 1), over the lines of a pixel.
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
