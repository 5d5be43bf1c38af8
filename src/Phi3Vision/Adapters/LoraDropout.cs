using TorchSharp;
using static TorchSharp.torch;

namespace FunctionsPipeline.Phi3Vision;

/// <summary>
/// Dropout whose mask is a function of the seed and the layer, equal on every device and in every call. Activation recomputation runs a
/// layer twice and must drop the same entries both times, and the library's own generators draw on the CPU only.
/// </summary>
internal static class LoraDropout
{
    // The largest prime below 2^31, 2^31 - 1: the product of two smaller numbers plus a third fits I64.
    private const long Prime = 2147483647;

    /// <summary>Zeroes a share of the entries and scales the others by 1 / (1 - share), so that the expected value stays.</summary>
    /// <param name="input">F32 […, inputs].</param>
    /// <param name="share">Probability of dropping an entry, from 0 to below 1.</param>
    /// <returns>A new tensor of the input's shape.</returns>
    public static Tensor Apply(Tensor input, double share, long seed, int layer)
    {
        using var scope = NewDisposeScope();
        var columns = input.shape[^1];
        var kept = Kept(input.numel() / columns, columns, share, Mixed(seed, layer), input.device).view(input.shape);
        return (input * kept.to(ScalarType.Float32).Multiply(1 / (1 - share))).MoveToOuterDisposeScope();
    }

    /// <summary>
    /// Makes the mask, Bool [rows, columns]. Row i keeps column j where (aᵢ·kⱼ + bᵢ) mod p &lt; (1 - share)·p: with aᵢ and bᵢ drawn for
    /// each row and kⱼ for each column every two entries are independent (Carter and Wegman, "Universal classes of hash functions", 1979).
    /// </summary>
    private static Tensor Kept(long rows, long columns, double share, int seed, Device device)
    {
        using var scope = NewDisposeScope();
        var random = new Random(seed);
        var (factors, offsets) = (Draw([rows, 1]), Draw([rows, 1]));
        // Integer arithmetic is exact, so that every device computes the same mask.
        var hashed = (factors * Draw([1, columns])).Add(offsets).Reduce(Prime);
        return hashed.IsBelow((long)((1 - share) * Prime)).MoveToOuterDisposeScope();

        Tensor Draw(long[] shape)
        {
            var values = new long[shape[0] * shape[1]];
            for (var i = 0; i < values.Length; i++) values[i] = random.NextInt64(1, Prime);
            return torch.tensor(values, shape, device: device);
        }
    }

    /// <summary>
    /// Mixes seed and layer by the finalizer of SplitMix64 (Steele et al., 2014), so that neighbouring seeds and layers have unrelated
    /// masks.
    /// </summary>
    private static int Mixed(long seed, int layer)
    {
        var mixed = unchecked((ulong)seed * 0x9E3779B97F4A7C15 + (ulong)(layer + 1) * 0xD1B54A32D192ED03);
        mixed = unchecked((mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9);
        mixed = unchecked((mixed ^ (mixed >> 27)) * 0x94D049BB133111EB);
        return (int)((mixed ^ (mixed >> 31)) & int.MaxValue);
    }
}
