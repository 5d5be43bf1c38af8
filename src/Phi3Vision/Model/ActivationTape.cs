using TorchSharp;
using static TorchSharp.torch;

namespace FunctionsPipeline.Phi3Vision;

/// <summary>
/// Activation recomputation (https://arxiv.org/abs/1604.06174): of a layer that is run on the tape only the input is kept. The backward pass
/// computes the layer a second time, with gradients, before it goes through it. That costs a third more time and saves all memory but
/// one layer's and the inputs'. Give a new one to <see cref="Phi3VisionModel.Hidden"/> and end with <see cref="Backward"/> in place of
/// the tensor's own. A layer must compute the same the second time.
/// </summary>
public sealed class ActivationTape : IDisposable
{
    private readonly Stack<Entry> _entries = [];
    private readonly List<Tensor> _kept = [];

    /// <summary>Gradients of all that <paramref name="root"/> was computed from, added to those that are there.</summary>
    /// <param name="root">A scalar, or with <paramref name="gradient"/> any tensor, computed from what the model gave.</param>
    /// <param name="gradient">The gradient of the root, in its shape.</param>
    public void Backward(Tensor root, Tensor? gradient = null)
    {
        // A root that needs no gradient can still have recorded layers before it only if nothing of them is trained.
        if (root.requires_grad) root.backward(gradient is null ? null : [gradient]);
        while (_entries.TryPop(out var entry))
        {
            using (entry)
            using (NewDisposeScope())
            {
                // Without one the output was not used for the root.
                if (entry.Output.grad is not { } outer) continue;
                var output = entry.Layer(entry.Input);
                // The input is the output of the layer before, where the gradient stops and is kept, or goes on into the graph that made it.
                if (output.requires_grad) output.backward([outer]);
            }
        }
    }

    /// <inheritdoc />
    public void Dispose()
    {
        while (_entries.TryPop(out var entry)) entry.Dispose();
        foreach (var tensor in _kept) tensor.Dispose();
        _kept.Clear();
    }

    /// <summary>Takes over what layers need besides their input, so that it lives as long as they may be computed again.</summary>
    internal void Keep(params Tensor?[] tensors) => _kept.AddRange(tensors.OfType<Tensor>().Select(tensor => tensor.DetachFromDisposeScope()));

    /// <summary>Runs a layer on the tape; just runs it where no gradients are recorded.</summary>
    internal Tensor Run(Func<Tensor, Tensor> layer, Tensor input)
    {
        if (!torch.is_grad_enabled()) return layer(input);
        Tensor output;
        using (torch.no_grad()) output = layer(input).DetachFromDisposeScope();
        // Aliases, so that the tape and its caller each own what they hold.
        _entries.Push(new Entry(layer, input.alias().DetachFromDisposeScope(), output.requires_grad_()));
        return output.alias();
    }

    private sealed record Entry(Func<Tensor, Tensor> Layer, Tensor Input, Tensor Output) : IDisposable
    {
        public void Dispose()
        {
            Input.Dispose();
            Output.Dispose();
        }
    }
}
