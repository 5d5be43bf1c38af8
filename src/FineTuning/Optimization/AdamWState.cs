using FunctionsPipeline.Phi3Vision;
using static TorchSharp.torch;

namespace FunctionsPipeline.FineTuning;

/// <summary>
/// AdamW (https://arxiv.org/abs/1711.05101) of one tensor, in the library's own order of operations: the same numbers to the bit. The
/// library's optimizer is not used, since a collection may free its numbers while native code reads them: <see cref="TensorArithmetic"/>.
/// </summary>
/// <param name="stepped">The tensor that is stepped; it stays the caller's.</param>
public sealed class AdamWState(Tensor stepped, double beta1 = 0.9, double beta2 = 0.999, double epsilon = 1e-8) : IDisposable
{
    /// <summary>Running mean of the gradients.</summary>
    public Tensor Mean { get; } = zeros_like(stepped, requires_grad: false).DetachFromDisposeScope();

    /// <summary>Running mean of the gradients' squares.</summary>
    public Tensor MeanSquare { get; } = zeros_like(stepped, requires_grad: false).DetachFromDisposeScope();

    /// <summary>Steps so far.</summary>
    public long Steps { get; set; }

    /// <summary>Takes a step; no gradients may be recorded.</summary>
    /// <param name="gradient">In the tensor's shape and type.</param>
    /// <param name="decay">Weight decay, decoupled, as a multiple of the rate.</param>
    public void Step(Tensor gradient, double rate, double decay)
    {
        using var scope = NewDisposeScope();
        Steps++;
        if (decay > 0) stepped.Multiply(1 - rate * decay);
        Mean.Multiply(beta1).Add(gradient, 1 - beta1);
        MeanSquare.Multiply(beta2).AddProduct(gradient, gradient, 1 - beta2);
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
