using FunctionsPipeline.Phi3Vision;
using FunctionsPipeline.Phi3Vision.Weights;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace FunctionsPipeline.FineTuning;

/// <summary>
/// AdamW with state in float32. A parameter of a smaller type is stepped in a float32 copy and rounded from that copy, since steps at usual
/// rates are smaller than the spacing of bfloat16 numbers. A parameter without a gradient in a step stays unchanged.
/// </summary>
internal sealed class AdamWOptimizer : IDisposable
{
    private readonly IReadOnlyList<Entry> _entries;

    /// <param name="parameters">Trainable parameters, with their initial values already loaded.</param>
    /// <param name="weightDecay">Decoupled weight decay of the parameters that decay, as a multiple of the rate.</param>
    public AdamWOptimizer(IReadOnlyList<OptimizedParameter> parameters, double weightDecay)
    {
        using var scope = NewDisposeScope();
        _entries = [.. parameters.Select(trained => new Entry(trained, trained.Decays ? weightDecay : 0))];
    }

    /// <summary>Clears the gradients.</summary>
    public void ZeroGrad()
    {
        // Null rather than zero: a zero gradient would let the weight decay and its moments fade.
        foreach (var entry in _entries) entry.Parameter.grad = null;
    }

    /// <summary>
    /// Clips the gradients to a global L2 norm, takes a step, and clears the gradients. No step is taken when the norm is not finite.
    /// </summary>
    /// <param name="maxNorm">Maximum norm of all gradients together.</param>
    /// <param name="factor">Factor on the peak rates, 0 to 1.</param>
    /// <returns>The norm before clipping, in float32; 0 without any gradient.</returns>
    public double ClipAndStep(double maxNorm, double factor)
    {
        using var scope = NewDisposeScope();
        using var untracked = no_grad();
        var norm = Norm();
        if (double.IsFinite(norm))
        {
            // The scale min(1, maxNorm / (norm + 1e-6)) is that of PyTorch's clip_grad_norm_.
            foreach (var entry in _entries) entry.Step(Math.Min(1, maxNorm / (norm + 1e-6)), factor);
        }
        ZeroGrad();
        return norm;
    }

    /// <summary>
    /// Saves the state as safetensors: for every parameter <c>{name}.exp_avg</c>, <c>{name}.exp_avg_sq</c> and <c>{name}.step</c>, and
    /// <c>{name}.master</c> where a float32 copy is stepped.
    /// </summary>
    public void Save(string path)
    {
        using var scope = NewDisposeScope();
        SafetensorsFile.Write(path, Tensors(entry => torch.tensor(entry.State.Steps)));
    }

    /// <summary>
    /// Loads what <see cref="Save"/> wrote, after which training continues as if it had not stopped. The parameters' values are not
    /// included.
    /// </summary>
    /// <exception cref="InvalidDataException">The file is damaged, or has other parameters: every mismatch is listed.</exception>
    public void Load(string path)
    {
        using var scope = NewDisposeScope();
        using var file = SafetensorsFile.Open(path);
        var steps = _entries.ToDictionary(entry => entry, _ => torch.zeros([], dtype: ScalarType.Int64));
        file.CopyTo(Tensors(entry => steps[entry]), exact: true);
        foreach (var (entry, step) in steps) entry.State.Steps = step.item<long>();
    }

    /// <summary>Number of bytes of the optimizer's state.</summary>
    public long Bytes
    {
        get
        {
            using var scope = NewDisposeScope();
            return Tensors(entry => torch.tensor(entry.State.Steps)).Sum(state => state.Tensor.numel() * state.Tensor.element_size());
        }
    }

    public void Dispose()
    {
        foreach (var entry in _entries) entry.Dispose();
    }

    private double Norm()
    {
        // Norm of the norms: √(Σ ‖gᵢ‖²).
        var norms = _entries.Select(entry => GradientNorm(entry.Parameter)).OfType<Tensor>().ToList();
        return norms.Count == 0 ? 0 : torch.stack(norms).norm().item<float>();
    }

    private static Tensor? GradientNorm(Parameter parameter)
    {
        using var scope = NewDisposeScope();
        return parameter.grad?.to(ScalarType.Float32).norm().MoveToOuterDisposeScope();
    }

    private List<(string Name, Tensor Tensor)> Tensors(Func<Entry, Tensor> step)
    {
        var tensors = new List<(string, Tensor)>();
        foreach (var entry in _entries)
        {
            tensors.Add(($"{entry.Name}.exp_avg", entry.State.Mean));
            tensors.Add(($"{entry.Name}.exp_avg_sq", entry.State.MeanSquare));
            tensors.Add(($"{entry.Name}.step", step(entry)));
            if (entry.Copy is not null) tensors.Add(($"{entry.Name}.master", entry.Copy));
        }
        return tensors;
    }

    /// <summary>Parameter with its optimizer state.</summary>
    private sealed class Entry : IDisposable
    {
        private readonly double _peakRate;
        private readonly double _decay;

        public Entry(OptimizedParameter trained, double decay)
        {
            Name = trained.Name;
            Parameter = trained.Parameter;
            _peakRate = trained.PeakRate;
            _decay = decay;
            if (Parameter.dtype != ScalarType.Float32)
                Copy = Parameter.detach().to(ScalarType.Float32, copy: true).DetachFromDisposeScope();
            State = new AdamWState(Copy ?? Parameter);
        }

        public string Name { get; }

        public Parameter Parameter { get; }

        /// <summary>Float32 copy that takes the steps of a bfloat16 or float16 parameter; null for float32.</summary>
        public Tensor? Copy { get; }

        public AdamWState State { get; }

        public void Step(double scale, double factor)
        {
            using var scope = NewDisposeScope();
            if (Parameter.grad is not { } gradient) return;
            var scaled = gradient.to(ScalarType.Float32);
            // In place, also where this is the gradient itself: the gradient is cleared after the step.
            if (scale < 1) scaled.Multiply(scale);
            State.Step(scaled, _peakRate * factor, _decay);
            if (Copy is not null) Parameter.copy_(Copy);
        }

        public void Dispose()
        {
            State.Dispose();
            Copy?.Dispose();
        }
    }
}

/// <summary>Parameter that the optimizer steps, with its peak learning rate and its weight decay.</summary>
/// <param name="Name">Name of the parameter in the model, or among the adapters.</param>
/// <param name="PeakRate">Learning rate at the peak of the schedule.</param>
internal sealed record OptimizedParameter(string Name, Parameter Parameter, double PeakRate)
{
    private static readonly string[] Embeddings =
        ["embed_tokens.weight", "position_embedding.weight", "class_embedding", "sub_GN", "glb_GN"];

    /// <summary>
    /// True when weight decay applies: to matrices and convolutions. Norms, biases, embeddings and separators do not decay, since their
    /// magnitude has meaning.
    /// </summary>
    public bool Decays { get; } = Parameter.dim() > 1 && !Embeddings.Any(e => Name.EndsWith(e, StringComparison.Ordinal));
}

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
