using FunctionsPipeline.Phi3Vision.Config;
using static TorchSharp.torch;

namespace FunctionsPipeline.Phi3Vision.Tests.Model;

/// <summary>Images as the model takes them.</summary>
internal static class TestImages
{
    private const int Side = Phi3VisionConfig.ViewSize;

    /// <summary>A global view and crops of noise: [1, crops + 1, 3, 336, 336].</summary>
    public static Tensor Noise(int crops, int seed)
    {
        var random = new Random(seed);
        var values = new float[(crops + 1) * 3 * Side * Side];
        for (var i = 0; i < values.Length; i++) values[i] = random.NextSingle() - 0.5f;
        return tensor(values, [1, crops + 1, 3, Side, Side]);
    }

    /// <summary>An image whose only crop is the same as its global view: [1, 2, 3, 336, 336].</summary>
    public static Tensor OfOneView(int seed)
    {
        var view = Noise(0, seed);
        return cat([view, view], dim: 1);
    }

    /// <summary>With filler, so that there are as many views as asked for.</summary>
    public static Tensor Filled(Tensor pixels, long views) =>
        cat([pixels, zeros([1, views - pixels.shape[1], 3, Side, Side])], dim: 1);

    /// <summary>I64 [1, 2].</summary>
    public static Tensor Size(int rows, int columns) => tensor(new long[] { rows * Side, columns * Side }, [1, 2]);
}
