using FunctionsPipeline.FineTuning.Data;
using FunctionsPipeline.Phi3Vision.Images;

namespace FunctionsPipeline.FineTuning.Tests;

internal static class NoiseImage
{
    /// <summary>An image of noise, and an answer whose length depends on its first token.</summary>
    public static (TrainingRow Row, ProcessedImage Image) Sample(int answer)
    {
        var random = new Random(answer);
        var pixels = new float[2 * 3 * 336 * 336];
        for (var i = 0; i < pixels.Length; i++) pixels[i] = random.NextSingle() - 0.5f;
        int[] prompt = [1, .. Enumerable.Repeat(-1, 313), 7];
        int[] ids = [.. prompt, answer, .. Enumerable.Repeat(9, Math.Min(answer, 3))];
        return (new TrainingRow(ids, prompt.Length), new ProcessedImage(pixels, 2, 336, 336, 313));
    }
}
