using TorchSharp;
using static TorchSharp.torch;

namespace FunctionsPipeline.Phi3Vision;

/// <summary>Cosines and sines of the rotary angles of one call, each [1 or B, 1, L, d/2], d the dimensions of a head.</summary>
internal sealed record RotaryTables(Tensor Cos, Tensor Sin)
{
    /// <summary>
    /// Rotates heads [B, heads, L, d]: (x₁, x₂) → (x₁ cos - x₂ sin, x₂ cos + x₁ sin), where dimension i is paired with i + d/2.
    /// </summary>
    public Tensor Apply(Tensor heads)
    {
        using var scope = NewDisposeScope();
        var half = heads.shape[^1] / 2;
        var (first, second) = (heads.narrow(-1, 0, half), heads.narrow(-1, half, half));
        return torch.cat([first * Cos - second * Sin, (second * Cos).Plus(first * Sin)], dim: -1).MoveToOuterDisposeScope();
    }
}
