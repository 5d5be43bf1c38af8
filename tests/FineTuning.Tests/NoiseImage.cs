using FunctionsPipeline.FineTuning.Data;
using FunctionsPipeline.Phi3Vision.Images;
using SixLabors.ImageSharp;
using SixLabors.ImageSharp.PixelFormats;

namespace FunctionsPipeline.FineTuning.Tests;

internal static class NoiseImage
{
    /// <summary>An image of noise, whose one crop is its global view, and an answer whose length depends on its first token.</summary>
    public static (TrainingRow Row, IReadOnlyList<ProcessedImage> Images) Sample(int answer)
    {
        var random = new Random(answer);
        float[] view = [.. Enumerable.Range(0, 3 * 336 * 336).Select(_ => random.NextSingle() - 0.5f)];
        int[] prompt = [1, .. Enumerable.Repeat(-1, 313), 7];
        int[] ids = [.. prompt, answer, .. Enumerable.Repeat(9, Math.Min(answer, 3))];
        return (new TrainingRow(ids, prompt.Length), [new ProcessedImage([.. view, .. view], 2, 336, 336, 313)]);
    }

    /// <summary>A square file of noise.</summary>
    public static byte[] Png(int side, int seed)
    {
        var random = new Random(seed);
        using var image = new Image<Rgb24>(side, side);
        for (var y = 0; y < side; y++)
            for (var x = 0; x < side; x++) image[x, y] = new Rgb24((byte)random.Next(256), (byte)random.Next(256), (byte)random.Next(256));
        using var stream = new MemoryStream();
        image.SaveAsPng(stream);
        return stream.ToArray();
    }
}
