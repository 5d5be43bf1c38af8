using FunctionsPipeline.Phi3Vision;
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
    public AdamWOptimizer(IReadOnlyList<TrainableParameter> parameters, double weightDecay)
    {
        using var scope = NewDisposeScope();
        _entries = [.. parameters.Select(trained => new Entry(trained, trained.Decays ? weightDecay : 0))];
    }

    /// <summary>Clears the gradients.</summary>
    public void ZeroGrad()
    {
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
        // The scale min(1, maxNorm / (norm + 1e-6)) is that of PyTorch's clip_grad_norm_.
        if (double.IsFinite(norm))
            foreach (var entry in _entries) entry.Step(Math.Min(1, maxNorm / (norm + 1e-6)), factor);
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

        public Entry(TrainableParameter trained, double decay)
        {
            (Name, Parameter, _peakRate, _decay) = (trained.Name, trained.Parameter, trained.PeakRate, decay);
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
