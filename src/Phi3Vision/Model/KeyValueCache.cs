using TorchSharp;
using static TorchSharp.torch;

namespace FunctionsPipeline.Phi3Vision.Model;

/// <summary>
/// Keys and values of the positions computed so far, so that a generation step computes one position. The memory is allocated once.
/// Keys are stored after the rotation. Not for training: the cache is written in place.
/// </summary>
public sealed class KeyValueCache : IDisposable
{
    private readonly Tensor[] _keys;
    private readonly Tensor[] _values;

    /// <param name="model">The model that will fill the cache.</param>
    /// <param name="batch">Number of rows.</param>
    /// <param name="capacity">Maximum number of positions of a row.</param>
    public KeyValueCache(Phi3VisionModel model, int batch, int capacity)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(batch, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(capacity, 1);
        (Batch, Capacity) = (batch, capacity);
        var config = model.Config;
        using var scope = NewDisposeScope();
        Tensor Allocate() => torch
            .empty(batch, config.NumKeyValueHeads, capacity, config.HeadDim, dtype: model.Dtype, device: model.Device)
            .DetachFromDisposeScope();
        _keys = [.. Enumerable.Range(0, config.NumHiddenLayers).Select(_ => Allocate())];
        _values = [.. Enumerable.Range(0, config.NumHiddenLayers).Select(_ => Allocate())];
    }

    /// <summary>Number of rows.</summary>
    public int Batch { get; }

    /// <summary>Maximum number of positions of a row.</summary>
    public int Capacity { get; }

    /// <summary>Number of positions of a row that are stored.</summary>
    public int Length { get; private set; }

    /// <inheritdoc />
    public void Dispose()
    {
        foreach (var tensor in _keys) tensor.Dispose();
        foreach (var tensor in _values) tensor.Dispose();
    }

    /// <summary>
    /// Appends a layer's keys and values of this call, [B, heads, L, d], and returns all of that layer's, [B, heads, cached + L, d].
    /// </summary>
    internal (Tensor Keys, Tensor Values) Append(int layer, Tensor keys, Tensor values)
    {
        if (keys.requires_grad)
            throw new InvalidOperationException("A key-value cache cannot be used while gradients are recorded: use torch.no_grad().");
        return (Append(_keys[layer], keys), Append(_values[layer], values));
    }

    /// <summary>Advances the length; called once all layers have appended the positions of a call.</summary>
    internal void Advance(int length) => Length += length;

    private Tensor Append(Tensor all, Tensor added)
    {
        var length = added.shape[2];
        using (var target = all.narrow(2, Length, length)) target.copy_(added);
        // A view of the allocated memory: a step copies its own position, not all earlier ones as a concatenation would.
        return all.narrow(2, 0, Length + length);
    }
}
