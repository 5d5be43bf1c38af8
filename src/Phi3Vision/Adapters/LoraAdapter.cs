using System.Runtime.InteropServices;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace FunctionsPipeline.Phi3Vision;

/// <summary>
/// Low-rank adapter of one linear layer: W·x becomes W·x + scale · B·(A·x). A and B are float32, whatever the type of W.
/// </summary>
public sealed class LoraAdapter
{
    private readonly LoraAdapters _owner;
    private readonly Linear _layer;
    private readonly int _index;
    private readonly Action _remove;

    internal LoraAdapter(LoraAdapters owner, LoraTarget target, Linear layer, int index, Random random)
    {
        (_owner, _layer, _index, Layer, Part) = (owner, layer, index, target.Name, target.Part);
        var device = layer.weight.device;
        A = Owned(Uniform(random, [owner.Settings.Rank, target.Inputs]).to(device));
        B = Owned(torch.zeros([target.Outputs, owner.Settings.Rank], dtype: ScalarType.Float32, device: device));
        _remove = layer.register_forward_hook((_, input, output) => Add(input, output)).remove;
    }

    /// <summary>Name of the layer in the model.</summary>
    public string Layer { get; }

    /// <summary>Part of the model that the layer belongs to.</summary>
    public ModelPart Part { get; }

    /// <summary>Down-projection, F32 [rank, inputs].</summary>
    public Parameter A { get; }

    /// <summary>Up-projection, F32 [outputs, rank]; starts at zero.</summary>
    public Parameter B { get; }

    /// <summary>Adds scale · B·A to the layer's weight, in float32, and rounds once to the weight's type.</summary>
    internal void Merge()
    {
        using var scope = NewDisposeScope();
        using var untracked = torch.no_grad();
        var weight = _layer.weight;
        weight.copy_(weight.to(ScalarType.Float32, copy: true).Add(B.matmul(A), _owner.Scale));
    }

    /// <summary>Removes the forward hook, so that the layer computes W·x again.</summary>
    internal void Detach() => _remove();

    internal void Free()
    {
        Detach();
        A.Dispose();
        B.Dispose();
    }

    /// <summary>
    /// Adds scale · B·(A·x) to the layer's output, in place since the output has no other reader yet. A sum of float32 and bfloat16 is thus
    /// rounded once.
    /// </summary>
    private Tensor Add(Tensor input, Tensor output)
    {
        using var scope = NewDisposeScope();
        var x = input.to(ScalarType.Float32);
        if (_layer.training && _owner.Settings.Dropout > 0) x = LoraDropout.Apply(x, _owner.Settings.Dropout, _owner.DropoutSeed, _index);
        return output.Add(nn.functional.linear(nn.functional.linear(x, A), B), _owner.Scale);
    }

    /// <summary>Draws A as PEFT does, Kaiming-uniform with a = √5: uniform within ±1/√inputs.</summary>
    private static Tensor Uniform(Random random, long[] shape)
    {
        var tensor = torch.empty(shape, dtype: ScalarType.Float32);
        var bound = 1 / Math.Sqrt(shape[1]);
        foreach (ref var value in MemoryMarshal.Cast<byte, float>(tensor.bytes)) value = (float)((2 * random.NextDouble() - 1) * bound);
        return tensor;
    }

    private static Parameter Owned(Tensor tensor)
    {
        var parameter = new Parameter(tensor);
        parameter.DetachFromDisposeScope();
        return parameter;
    }
}
