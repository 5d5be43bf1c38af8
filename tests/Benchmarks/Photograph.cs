using SixLabors.ImageSharp;
using SixLabors.ImageSharp.Formats.Jpeg;
using SixLabors.ImageSharp.PixelFormats;

namespace FunctionsPipeline.Benchmarks;

/// <summary>
/// A picture with the statistics of a photograph: noise at every scale, stronger at larger ones, as natural images have it; less of it in
/// colour than in brightness; and a few objects with sharp edges. The same seed draws the same picture.
/// </summary>
internal static class Photograph
{
    private const int Objects = 24;
    private const int LargestCell = 512;
    private const float Strength = 0.11f;

    /// <summary>Draws the picture.</summary>
    public static Image<Rgb24> Draw(int width, int height, int seed)
    {
        var random = new Random(seed);
        var brightness = Fractal(width, height, smallestCell: 1, random);
        var red = Fractal(width, height, smallestCell: 8, random);
        var blue = Fractal(width, height, smallestCell: 8, random);
        for (var i = 0; i < Objects; i++) Place(brightness, red, blue, width, height, random);
        var image = new Image<Rgb24>(width, height);
        image.ProcessPixelRows(rows =>
        {
            for (var y = 0; y < height; y++)
            {
                var row = rows.GetRowSpan(y);
                for (var x = 0; x < width; x++)
                {
                    // Red and blue get their own noise, green the opposite of both, so that brightness stays about the same.
                    var (luma, warm, cold) = (brightness[y * width + x], 0.4f * red[y * width + x], 0.4f * blue[y * width + x]);
                    row[x] = new Rgb24(Byte(luma + warm), Byte(luma - (warm + cold) / 4), Byte(luma + cold));
                }
            }
        });
        return image;
    }

    /// <summary>Draws the picture and saves it as a JPEG of the encoder's default quality.</summary>
    public static byte[] Jpeg(int width, int height, int seed)
    {
        using var image = Draw(width, height, seed);
        using var stream = new MemoryStream();
        image.SaveAsJpeg(stream, new JpegEncoder());
        return stream.ToArray();
    }

    /// <summary>Value noise: random values on a grid, interpolated, summed over grids of half the cell and half the strength.</summary>
    private static float[] Fractal(int width, int height, int smallestCell, Random random)
    {
        var sum = new float[width * height];
        var strength = Strength;
        for (var cell = LargestCell; cell >= smallestCell; cell /= 2, strength *= 0.68f)
        {
            var columns = width / cell + 2;
            var grid = new float[columns * (height / cell + 2)];
            for (var i = 0; i < grid.Length; i++) grid[i] = strength * (4 * random.NextSingle() - 2);
            for (var y = 0; y < height; y++)
            {
                var (top, v) = (y / cell * columns, Smooth(y % cell / (float)cell));
                for (var x = 0; x < width; x++)
                {
                    var (at, u) = (top + x / cell, Smooth(x % cell / (float)cell));
                    var above = grid[at] + u * (grid[at + 1] - grid[at]);
                    var below = grid[at + columns] + u * (grid[at + columns + 1] - grid[at + columns]);
                    sum[y * width + x] += above + v * (below - above);
                }
            }
        }
        return sum;
    }

    /// <summary>An ellipse that is brighter or darker and of another colour than what is behind it.</summary>
    private static void Place(float[] brightness, float[] red, float[] blue, int width, int height, Random random)
    {
        var (centreX, centreY) = (random.Next(width), random.Next(height));
        var (radiusX, radiusY) = (random.Next(20, width / 4), random.Next(20, height / 6));
        var (light, warm, cold) = (random.NextSingle() - 0.5f, random.NextSingle() - 0.5f, random.NextSingle() - 0.5f);
        for (var y = Math.Max(0, centreY - radiusY); y < Math.Min(height, centreY + radiusY); y++)
        {
            for (var x = Math.Max(0, centreX - radiusX); x < Math.Min(width, centreX + radiusX); x++)
            {
                var (dx, dy) = ((x - centreX) / (float)radiusX, (y - centreY) / (float)radiusY);
                if (dx * dx + dy * dy > 1) continue;
                var at = y * width + x;
                brightness[at] = light + 0.7f * brightness[at];
                (red[at], blue[at]) = (warm, cold);
            }
        }
    }

    // Smoothstep, 3t² − 2t³: interpolates without visible edges at the cells.
    private static float Smooth(float t) => t * t * (3 - 2 * t);

    private static byte Byte(float value) => (byte)Math.Clamp(128 + 220 * value, 0, 255);
}
