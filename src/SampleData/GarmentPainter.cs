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
