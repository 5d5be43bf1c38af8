using SixLabors.ImageSharp.Processing.Processors.Transforms;

namespace SixLabors.ImageSharp.Processing;

/// <summary>The resampling filters.</summary>
public static class KnownResamplers
{
    /// <summary>Keys' cubic with a = -0.5.</summary>
    public static IResampler Bicubic { get; } = new Filter(2, static x =>
        x <= 1 ? (((1.5F * x) - 2.5F) * x * x) + 1
        : x < 2 ? (((((-0.5F * x) + 2.5F) * x) - 4) * x) + 2
        : 0);

    public static IResampler Box { get; } = new Filter(0.5F, static x => x <= 0.5F ? 1 : 0);

    public static IResampler Triangle { get; } = new Filter(1, static x => x < 1 ? 1 - x : 0);

    public static IResampler Lanczos3 { get; } = new Filter(3, static x => x < 3 ? Sinc(x) * Sinc(x / 3) : 0);

    public static IResampler NearestNeighbor { get; } = new Filter(0, static x => 1);

    private static float Sinc(float x) => x < 1e-5F ? 1 : MathF.Sin(MathF.PI * x) / (MathF.PI * x);

    private sealed class Filter(float radius, Func<float, float> weight) : IResampler
    {
        public float Radius => radius;

        public float GetValue(float x) => weight(MathF.Abs(x));
    }
}
