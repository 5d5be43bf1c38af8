using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace FunctionsPipeline.Phi3Vision;

/// <summary>
/// RMSNorm (https://arxiv.org/abs/1910.07467): weight · x / √(mean(x²) + eps) over the last dimension. The normalisation is computed in
/// float32 and rounded to x's type before the weight.
/// </summary>
internal sealed class RmsNorm : nn.Module<Tensor, Tensor>
{
    private readonly Parameter weight;
    private readonly double _epsilon;

    public RmsNorm(int size, double epsilon, Device device, ScalarType dtype) : base(nameof(RmsNorm))
    {
        _epsilon = epsilon;
        weight = new Parameter(torch.ones(size, dtype: dtype, device: device));
        RegisterComponents();
    }

    /// <param name="input">[…, size].</param>
    public override Tensor forward(Tensor input)
    {
        using var scope = NewDisposeScope();
        // Squares of float16 overflow above 255, and a bfloat16 mean loses digits: hence float32.
        var x = input.to(ScalarType.Float32);
        var normalized = x * x.Squared().mean([-1], keepdim: true).Plus(_epsilon).rsqrt();
        return (normalized.to(input.dtype) * weight).MoveToOuterDisposeScope();
    }
}
