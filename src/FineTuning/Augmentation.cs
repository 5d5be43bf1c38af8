using FunctionsPipeline.Phi3Vision;

namespace FunctionsPipeline.FineTuning;

/// <summary>A small change of a picture that leaves what it shows: what it uncovers is white, as the padding is.</summary>
/// <param name="Mirrored">Left and right are swapped.</param>
/// <param name="Right">Shift to the right, as a share of the width.</param>
/// <param name="Down">Shift downwards, as a share of the height.</param>
/// <param name="Zoom">Enlargement about the middle; below 1 it makes smaller.</param>
internal readonly record struct Augmentation(bool Mirrored, double Right, double Down, double Zoom = 1)
{
    private const double MaxShift = 1.0 / 12;
    private const double MaxZoom = 1.2;

    /// <summary>Mirrored half of the time, shifted by up to a twelfth of the sides, and a sixth smaller to a fifth larger.</summary>
    /// <param name="position">The sample's place in the run, over all epochs.</param>
    public static Augmentation Of(int seed, long position)
    {
        var random = SeededRandom.At(seed, position);
        return new Augmentation(random.Next(2) == 1, Between(random) * MaxShift, Between(random) * MaxShift, Math.Pow(MaxZoom, Between(random)));
    }

    /// <summary>The picture with the change; the given one stays as it is.</summary>
    public HdPicture Apply(HdPicture picture)
    {
        var (width, height) = (picture.Width, picture.Height);
        var rgb = new byte[picture.Rgb.Length];
        rgb.AsSpan().Fill(255);
        // Where each column and row comes from; outside of the picture where nothing does.
        var columns = Sources(width, Right);
        var rows = Sources(height, Down);
        for (var y = 0; y < height; y++)
        {
            if (rows[y] < 0 || rows[y] >= height) continue;
            for (var x = 0; x < width; x++)
            {
                var column = Mirrored ? width - 1 - columns[x] : columns[x];
                if (column < 0 || column >= width) continue;
                picture.Rgb.AsSpan((rows[y] * width + column) * 3, 3).CopyTo(rgb.AsSpan((y * width + x) * 3, 3));
            }
        }
        return picture with { Rgb = rgb };
    }

    private int[] Sources(int size, double shift)
    {
        var (zoom, middle, moved) = (Zoom, size / 2.0, Math.Round(shift * size));
        return [.. Enumerable.Range(0, size).Select(i => (int)Math.Floor((i + 0.5 - moved - middle) / zoom + middle))];
    }

    private static double Between(Random random) => 2 * random.NextDouble() - 1;
}
