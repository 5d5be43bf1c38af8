using FunctionsPipeline.FineTuning.Data;
using FunctionsPipeline.Phi3Vision.Images;
using SixLabors.ImageSharp;
using SixLabors.ImageSharp.PixelFormats;

namespace FunctionsPipeline.FineTuning.Tests;

internal static class NoiseImage
{
    /// <summary>An image of noise, and an answer whose length depends on its first token.</summary>
    public static (TrainingRow Row, IReadOnlyList<ProcessedImage> Images) Sample(int answer)
    {
        var random = new Random(answer);
        var pixels = new float[2 * 3 * 336 * 336];
        for (var i = 0; i < pixels.Length; i++) pixels[i] = random.NextSingle() - 0.5f;
        int[] prompt = [1, .. Enumerable.Repeat(-1, 313), 7];
        int[] ids = [.. prompt, answer, .. Enumerable.Repeat(9, Math.Min(answer, 3))];
        return (new TrainingRow(ids, prompt.Length), [new ProcessedImage(pixels, 2, 336, 336, 313)]);
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
