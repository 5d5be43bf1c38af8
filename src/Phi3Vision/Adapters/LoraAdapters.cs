using System.Runtime.InteropServices;
using FunctionsPipeline.Contracts;
using FunctionsPipeline.Phi3Vision.Config;
using FunctionsPipeline.Phi3Vision.Model;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace FunctionsPipeline.Phi3Vision.Adapters;

/// <summary>
/// Low-rank adapters (LoRA, https://arxiv.org/abs/2106.09685) of a model's linear layers. The model's own weights are not changed; the
/// caller decides by their <c>requires_grad</c> whether they are trained too.
/// </summary>
public sealed class LoraAdapters : IDisposable
{
    private readonly Phi3VisionModel _model;

    private LoraAdapters(Phi3VisionModel model, LoraSettings settings, IReadOnlyList<LinearLayer> targets, int seed)
    {
        (_model, Settings) = (model, settings);
        Scale = settings.Alpha / (settings.RankStabilized ? Math.Sqrt(settings.Rank) : settings.Rank);
        using var scope = NewDisposeScope();
        var random = new Random(seed);
        var modules = model.named_modules().ToDictionary(pair => pair.name, pair => pair.module, StringComparer.Ordinal);
        Layers = [.. targets.Select((target, i) => new LoraLayer(this, target, (Linear)modules[target.Name], i, random))];
    }

    /// <summary>Settings of the adapters.</summary>
    public LoraSettings Settings { get; }

    /// <summary>Factor of B·A·x: alpha / rank, or alpha / √rank when rank-stabilized.</summary>
    public double Scale { get; }

    /// <summary>The adapters, in the order of the layers in the published checkpoint.</summary>
    public IReadOnlyList<LoraLayer> Layers { get; }

    /// <summary>
    /// Seed of the dropout masks; equal seeds give equal masks. Set the seed before each micro-batch, not during a forward or backward
    /// pass. Dropout is on while the model is in training mode.
    /// </summary>
    public long DropoutSeed { get; set; }

    /// <summary>
    /// A and B of every layer, named as in PEFT's files without their prefix: <c>model.layers.0.mlp.down_proj.lora_A.weight</c>.
    /// </summary>
    public IEnumerable<(string Name, ModelPart Part, Parameter Parameter)> Parameters => Layers.SelectMany(layer =>
        new[] { ($"{layer.Layer}.lora_A.weight", layer.Part, layer.A), ($"{layer.Layer}.lora_B.weight", layer.Part, layer.B) });

    /// <summary>
    /// Attaches adapters to a model. A is drawn at random and B is zero, so that the model's output does not change before training.
    /// Dispose the adapters before the model.
    /// </summary>
    /// <param name="seed">Seed of A; equal seeds give equal adapters on every device.</param>
    /// <exception cref="ArgumentException">A target matches no layer, or a setting is out of range.</exception>
    public static LoraAdapters Attach(Phi3VisionModel model, LoraSettings settings, int seed)
    {
        if (settings.Rank < 1) throw new ArgumentException($"The LoRA rank must be at least 1, but is {settings.Rank}.", nameof(settings));
        if (settings.Dropout is not (>= 0 and < 1))
            throw new ArgumentException($"The LoRA dropout must be from 0 to below 1, but is {settings.Dropout}.", nameof(settings));
        return new LoraAdapters(model, settings, LoraTargets.Select(model.Config, settings), seed);
    }

    /// <summary>The shortest target names that match exactly these layers, by PEFT's rules.</summary>
    internal IReadOnlyList<string> TargetNames => LoraTargets.Shortest(_model.Config, [.. Layers.Select(layer => layer.Layer)]);

    /// <summary>The model's own parameters.</summary>
    internal IEnumerable<(string Name, Parameter Parameter)> ModelParameters => _model.named_parameters();

    /// <summary>
    /// Merges the adapters into the model's weights, W + scale · B·A rounded once to the weight's type, and detaches them but keeps A and
    /// B.
    /// </summary>
    public void Merge()
    {
        foreach (var layer in Layers)
        {
            layer.Merge();
            layer.Detach();
        }
    }

    /// <summary>Detaches the adapters and frees their tensors.</summary>
    public void Dispose()
    {
        foreach (var layer in Layers) layer.Free();
    }
}

/// <summary>
/// Low-rank adapter of one linear layer (LoRA's equation 3): W·x becomes W·x + scale · B·(A·x). A and B are float32, whatever the type
/// of W.
/// </summary>
public sealed class LoraLayer
{
    private readonly LoraAdapters _owner;
    private readonly Linear _layer;
    private readonly int _index;
    private readonly Action _remove;

    internal LoraLayer(LoraAdapters owner, LinearLayer target, Linear layer, int index, Random random)
    {
        _owner = owner;
        _layer = layer;
        _index = index;
        Layer = target.Name;
        Part = target.Part;
        var device = layer.weight.device;
        // Drawn on the CPU and then moved: a GPU's generator would give other numbers for the same seed.
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
    /// Adds scale · B·(A·x) to the layer's output, in place since the output has no other reader yet. A sum of float32 and bfloat16 is
    /// thus rounded once.
    /// </summary>
    /// <param name="input">[…, inputs].</param>
    /// <param name="output">[…, outputs], in the type of W.</param>
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
    /// Makes the mask, Bool [rows, columns]. Row i keeps column j where (aᵢ·kⱼ + bᵢ) mod p &lt; (1 - share)·p: with aᵢ and bᵢ
    /// drawn for each row and kⱼ for each column every two entries are independent (Carter and Wegman, "Universal classes of hash
    /// functions", 1979).
    /// </summary>
    private static Tensor Kept(long rows, long columns, double share, int seed, Device device)
    {
        using var scope = NewDisposeScope();
        var random = new Random(seed);
        var (factors, offsets) = (Draw([rows, 1]), Draw([rows, 1]));
        // Integer arithmetic is exact, so that every device computes the same mask.
        // While it is made, the mask takes 8 bytes an entry, twice the float32 input.
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
        // 2⁶⁴ divided by the golden ratio (SplitMix64's increment), and by the positive root of x⁴ = x + 1.
        var mixed = unchecked((ulong)seed * 0x9E3779B97F4A7C15 + (ulong)(layer + 1) * 0xD1B54A32D192ED03);
        mixed = unchecked((mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9);
        mixed = unchecked((mixed ^ (mixed >> 27)) * 0x94D049BB133111EB);
        return (int)((mixed ^ (mixed >> 31)) & int.MaxValue);
    }
}

/// <summary>A linear layer that can have an adapter.</summary>
/// <param name="Name">Name of the layer in the model, such as <c>model.layers.0.mlp.down_proj</c>.</param>
/// <param name="Part">Part of the model that the layer belongs to.</param>
/// <param name="Inputs">Width of the layer's input.</param>
/// <param name="Outputs">Width of the layer's output.</param>
internal sealed record LinearLayer(string Name, ModelPart Part, long Inputs, long Outputs)
{
    /// <summary>True when a PEFT target names this layer: its complete name, or complete components at the name's end.</summary>
    public bool Is(string target) => Name == target || Name.EndsWith("." + target, StringComparison.Ordinal);
}

/// <summary>
/// Selects the linear layers that get adapters, among those of the decoder's layers, the CLIP tower and the image projection. Names match
/// as in PEFT (https://github.com/huggingface/peft), so that <c>fc1</c> includes CLIP's last layer, whose output nothing uses.
/// </summary>
internal static class LoraTargets
{
    /// <summary>Lists every layer that can have an adapter, in the order of the published checkpoint.</summary>
    public static IReadOnlyList<LinearLayer> All(Phi3VisionConfig config) =>
    [
        .. WeightLayout.Of(config)
            .Where(weight => weight is { Role: WeightRole.Matrix, Shape.Count: 2 })
            .Select(weight => new LinearLayer(weight.Name[..^".weight".Length], weight.Part, weight.Shape[1], weight.Shape[0])),
    ];

    /// <summary>Selects the layers that the settings target, in the order of the published checkpoint.</summary>
    /// <exception cref="ArgumentException">A target matches no layer, or there is no target.</exception>
    public static IReadOnlyList<LinearLayer> Select(Phi3VisionConfig config, LoraSettings settings)
    {
        var all = All(config);
        foreach (var target in settings.Targets)
        {
            if (!all.Any(layer => Means(layer, target)))
            {
                throw new ArgumentException(
                    $"The LoRA target '{target}' matches no linear layer. " +
                    $"There are {LoraSettings.AllLinear} and {string.Join(", ", Kinds(all))}.",
                    nameof(settings));
            }
        }
        var selected = all.Where(layer =>
            settings.Targets.Any(target => Means(layer, target)) || settings.Projector && layer.Part == ModelPart.Projector).ToList();
        return selected.Count > 0
            ? selected
            : throw new ArgumentException("LoRA has no targets: nothing would be trained.", nameof(settings));
    }

    /// <summary>Finds the shortest targets that match these layers and no other, for a reader that matches names as PEFT does.</summary>
    public static IReadOnlyList<string> Shortest(Phi3VisionConfig config, IReadOnlyCollection<string> layers)
    {
        var others = All(config).Where(layer => !layers.Contains(layer.Name)).ToList();
        return [.. layers.Select(layer => Endings(layer).First(ending => !others.Any(other => other.Is(ending)))).Distinct()];
    }

    private static bool Means(LinearLayer layer, string target) =>
        target == LoraSettings.AllLinear ? layer.Part == ModelPart.DecoderLayers : layer.Is(target);

    private static IEnumerable<string> Kinds(IEnumerable<LinearLayer> layers) =>
        layers.Select(layer => Endings(layer.Name).First()).Distinct(StringComparer.Ordinal).Order(StringComparer.Ordinal);

    /// <summary>
    /// Lists a name's suffixes, shortest first, without those that begin with a layer's number, which say nothing to a reader.
    /// </summary>
    private static IEnumerable<string> Endings(string name)
    {
        var parts = name.Split('.');
        for (var start = parts.Length - 1; start >= 0; start--)
            if (!char.IsAsciiDigit(parts[start][0])) yield return string.Join('.', parts[start..]);
    }
}
