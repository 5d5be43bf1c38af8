using TorchSharp;
using static TorchSharp.torch;

namespace FunctionsPipeline.Phi3Vision.Model;

/// <summary>
/// Activation recomputation (https://arxiv.org/abs/1604.06174): keeps only the input of each layer that runs on the tape. The backward pass
/// runs a layer a second time, with gradients, before it propagates through that layer. The cost is about a third more time; the memory
/// left is the layers' inputs and the activations of one layer. Pass a new tape to <see cref="Phi3VisionModel.Hidden"/> and call
/// <see cref="Backward"/> in place of the tensor's own. A layer must compute the same result both times.
/// </summary>
public sealed class ActivationTape : IDisposable
{
    private readonly Stack<Entry> _entries = [];
    private readonly List<Tensor> _kept = [];

    /// <summary>
    /// Computes the gradients of everything that <paramref name="root"/> was computed from and adds them to those present.
    /// </summary>
    /// <param name="root">A scalar, or with <paramref name="gradient"/> any tensor, computed from the model's output.</param>
    /// <param name="gradient">The gradient of the root, in its shape.</param>
    public void Backward(Tensor root, Tensor? gradient = null)
    {
        // A root without requires_grad follows recorded layers only when nothing in them is trained; then no entry has a gradient either.
        if (root.requires_grad) root.backward(gradient is null ? null : [gradient]);
        while (_entries.TryPop(out var entry))
        {
            using (entry)
            using (NewDisposeScope())
            {
                // No gradient: the root does not depend on this output.
                if (entry.Output.grad is not { } outer) continue;
                var output = entry.Layer(entry.Input);
                // entry.Input is the previous entry's output, a leaf that accumulates the gradient; the first entry's input belongs to the
                // graph that made it, and the gradient continues into that graph.
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

    /// <summary>Takes ownership of the tensors that layers need besides their input, so that they live until the recomputation.</summary>
    internal void Keep(params Tensor?[] tensors) =>
        _kept.AddRange(tensors.OfType<Tensor>().Select(tensor => tensor.DetachFromDisposeScope()));

    /// <summary>Runs a layer and records it; runs it without recording where gradients are disabled.</summary>
    internal Tensor Run(Func<Tensor, Tensor> layer, Tensor input)
    {
        if (!torch.is_grad_enabled()) return layer(input);
        // Without a graph the layer's activations are freed at once. Its output becomes a leaf, whose gradient starts the recomputation.
        Tensor output;
        using (torch.no_grad()) output = layer(input).DetachFromDisposeScope();
        // Aliases: the tape and its caller each own and dispose their handle.
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
