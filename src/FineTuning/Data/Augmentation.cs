using FunctionsPipeline.Phi3Vision;

namespace FunctionsPipeline.FineTuning;

/// <summary>Small change of an image that keeps its content: a mirror and a shift, with uncovered pixels white like the padding.</summary>
/// <param name="Mirrored">True when left and right are swapped.</param>
/// <param name="Right">Shift to the right, as a share of the width.</param>
/// <param name="Down">Shift downwards, as a share of the height.</param>
internal readonly record struct Augmentation(bool Mirrored, double Right, double Down)
{
    private const double MaxShift = 1.0 / 12;

    /// <summary>Draws an augmentation: mirrored with probability ½, shifted uniformly by up to 1/12 of each side.</summary>
    /// <param name="position">Position of the sample in the run, over all epochs.</param>
    public static Augmentation Of(int seed, long position)
    {
        var random = SeededRandom.At(seed, position);
        return new Augmentation(random.Next(2) == 1, Shift(random), Shift(random));
    }

    /// <summary>Applies the augmentation to a copy of the image.</summary>
    public PaddedImage Apply(PaddedImage picture)
    {
        var (width, height) = (picture.Width, picture.Height);
        var (right, down) = ((int)Math.Round(Right * width), (int)Math.Round(Down * height));
        var rgb = new byte[picture.Rgb.Length];
        rgb.AsSpan().Fill(255);
        for (var y = Math.Max(0, down); y < Math.Min(height, height + down); y++)
            for (var x = Math.Max(0, right); x < Math.Min(width, width + right); x++)
            {
                var column = Mirrored ? width - 1 - (x - right) : x - right;
                var (from, to) = (((y - down) * width + column) * 3, (y * width + x) * 3);
                (rgb[to], rgb[to + 1], rgb[to + 2]) = (picture.Rgb[from], picture.Rgb[from + 1], picture.Rgb[from + 2]);
            }
        return picture with { Rgb = rgb };
    }

    private static double Shift(Random random) => (2 * random.NextDouble() - 1) * MaxShift;
}
