using FunctionsPipeline.Phi3Vision;
using static TorchSharp.torch;

namespace FunctionsPipeline.FineTuning;

/// <summary>
/// AdamW (https://arxiv.org/abs/1711.05101) of one tensor, with the library's order of operations, so that results agree to the bit. The
/// library's own optimizer is not used, since a garbage collection may free its numbers while native code reads them:
/// <see cref="TensorArithmetic"/>.
/// </summary>
/// <param name="stepped">Tensor that the steps update; the caller keeps ownership.</param>
public sealed class AdamWState(Tensor stepped, double beta1 = 0.9, double beta2 = 0.999, double epsilon = 1e-8) : IDisposable
{
    /// <summary>First moment m, the running mean of the gradients.</summary>
    public Tensor Mean { get; } = zeros_like(stepped, requires_grad: false).DetachFromDisposeScope();

    /// <summary>Second moment v, the running mean of the gradients' squares.</summary>
    public Tensor MeanSquare { get; } = zeros_like(stepped, requires_grad: false).DetachFromDisposeScope();

    /// <summary>Number of steps taken, t.</summary>
    public long Steps { get; set; }

    /// <summary>Takes a step; call with gradients disabled.</summary>
    /// <param name="gradient">Gradient g, in the tensor's shape and type.</param>
    /// <param name="rate">Learning rate η.</param>
    /// <param name="decay">Decoupled weight decay λ, which is multiplied by the rate.</param>
    public void Step(Tensor gradient, double rate, double decay)
    {
        using var scope = NewDisposeScope();
        Steps++;
        // w ← w (1 - ηλ); m ← β₁m + (1 - β₁)g; v ← β₂v + (1 - β₂)g².
        if (decay > 0) stepped.Multiply(1 - rate * decay);
        Mean.Multiply(beta1).Add(gradient, 1 - beta1);
        MeanSquare.Multiply(beta2).AddProduct(gradient, gradient, 1 - beta2);
        // w ← w - η · m̂ / (√v̂ + ε), with the bias corrections m̂ = m / (1 - β₁ᵗ) and v̂ = v / (1 - β₂ᵗ).
        var deviation = MeanSquare.sqrt().Divide(Math.Sqrt(1 - Math.Pow(beta2, Steps))).Add(epsilon);
        stepped.AddQuotient(Mean, deviation, -rate / (1 - Math.Pow(beta1, Steps)));
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        Mean.Dispose();
        MeanSquare.Dispose();
    }
}
