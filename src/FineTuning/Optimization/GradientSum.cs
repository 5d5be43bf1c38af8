using TorchSharp.Modules;
using static TorchSharp.torch;

namespace FunctionsPipeline.FineTuning;

/// <summary>Adds up gradients beside the parameters, which have none in between.</summary>
internal sealed class GradientSum(IReadOnlyList<Parameter> parameters) : IDisposable
{
    private readonly Tensor?[] _sums = new Tensor?[parameters.Count];

    /// <summary>Adds the parameters' gradients, and leaves them without.</summary>
    public void Take()
    {
        using var noGradient = no_grad();
        using var scope = NewDisposeScope();
        for (var i = 0; i < _sums.Length; i++)
        {
            if (parameters[i].grad is not { } gradient) continue;
            if (_sums[i] is { } sum) sum.add_(gradient);
            else _sums[i] = gradient.DetachFromDisposeScope();
            parameters[i].grad = null;
        }
    }

    /// <summary>Makes the sums the parameters' gradients.</summary>
    public void GiveBack()
    {
        for (var i = 0; i < _sums.Length; i++)
            if (_sums[i] is { } sum) parameters[i].grad = sum;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var sum in _sums) sum?.Dispose();
    }
}
