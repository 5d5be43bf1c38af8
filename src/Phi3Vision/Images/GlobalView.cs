namespace FunctionsPipeline.Phi3Vision;

/// <summary>
/// The view of the whole picture: a bicubic resize (a = -0.75, not antialiased) of the normalised picture to 336×336. Both sides are multiples
/// of 336, so that every output pixel has the same phase: one tap in the middle for odd factors, the same four taps for even ones.
/// </summary>
internal static class GlobalView
{
    private const int Side = Phi3VisionConfig.ViewSize;
    private static readonly float[] EvenWeights = [-0.09375f, 0.59375f, 0.59375f, -0.09375f];
    private static readonly float[] OddWeights = [1f];

    /// <summary>Fills one channel of the view.</summary>
    /// <param name="rgb">The padded picture, interleaved bytes.</param>
    /// <param name="normalized">The channel's normalised value of every byte.</param>
    /// <param name="target">336×336 values.</param>
    public static void Fill(byte[] rgb, int width, int height, int channel, float[] normalized, Span<float> target)
    {
        var (xs, xWeights) = Taps(width);
        var (ys, yWeights) = Taps(height);
        for (var y = 0; y < Side; y++)
            for (var x = 0; x < Side; x++)
            {
                var sum = 0f;
                for (var j = 0; j < yWeights.Length; j++)
                {
                    var row = rgb.AsSpan(ys[y * yWeights.Length + j] * width * 3);
                    var inRow = 0f;
                    for (var i = 0; i < xWeights.Length; i++) inRow += xWeights[i] * normalized[row[xs[x * xWeights.Length + i] * 3 + channel]];
                    sum += yWeights[j] * inRow;
                }
                target[y * Side + x] = sum;
            }
    }

    private static (int[] Indices, float[] Weights) Taps(int size)
    {
        var factor = size / Side;
        if (factor % 2 == 1) return ([.. Enumerable.Range(0, Side).Select(i => factor * i + factor / 2)], OddWeights);
        return ([.. Enumerable.Range(0, Side).SelectMany(i => Enumerable.Range(factor * i + factor / 2 - 2, 4)).Select(i => Math.Clamp(i, 0, size - 1))], EvenWeights);
    }
}
