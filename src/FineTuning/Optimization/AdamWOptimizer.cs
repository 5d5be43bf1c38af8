using FunctionsPipeline.Phi3Vision;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace FunctionsPipeline.FineTuning;

/// <summary>
/// AdamW with state in float32: what is of a smaller type is stepped in a float32 copy and rounded from it, since steps at usual rates are
/// smaller than the distance of two bfloat16 numbers. Parameters are grouped by peak rate and by whether they decay. One that no gradient
/// reaches in a step is left as it is.
/// </summary>
internal sealed class AdamWOptimizer : IDisposable
{
    // Float32 gradients of all copies at once would take as much memory as the copies.
    private const long ElementsAtOnce = 1 << 26;

    private readonly AdamW _optimizer;
    private readonly IReadOnlyList<Entry> _entries;
    private readonly IReadOnlyList<IReadOnlyList<Entry>> _parts;

    /// <param name="parameters">What is trained, with its first values; load these before.</param>
    /// <param name="weightDecay">Of those that decay, decoupled, as a multiple of the rate.</param>
    public AdamWOptimizer(IReadOnlyList<TrainableParameter> parameters, double weightDecay)
    {
        using var scope = NewDisposeScope();
        using var untracked = no_grad();
        var groups = parameters.GroupBy(trained => (trained.Decays, trained.PeakRate))
            .Select(group => (group.Key, Members: group.Select(trained => (Trained: trained, Stepped: Stepped(trained.Parameter))).ToList()))
            .ToList();
        _optimizer = optim.AdamW(groups.Select(group => new AdamW.ParamGroup(
            group.Members.Select(member => member.Stepped).ToList(), lr: group.Key.PeakRate, weight_decay: group.Key.Decays ? weightDecay : 0)));
        var states = _optimizer.state_dict().State.Cast<AdamW.State>();
        _entries = [.. groups.SelectMany(group => group.Members).Zip(states, (m, state) => new Entry(m.Trained.Name, m.Trained.Parameter, m.Stepped, state))];
        _parts = [.. Parts(_entries)];
    }

    /// <summary>Clears the gradients.</summary>
    public void ZeroGrad()
    {
        foreach (var entry in _entries) entry.Parameter.grad = null;
    }

    /// <summary>
    /// Scales the gradients down to a global L2 norm, takes a step, and clears them. A norm that is no finite number takes no step.
    /// </summary>
    /// <param name="maxNorm">What the norm may be.</param>
    /// <param name="factor">What the peak rates are multiplied by, 0 to 1.</param>
    /// <returns>The norm before, in float32; 0 without any gradient.</returns>
    public double ClipAndStep(double maxNorm, double factor)
    {
        using var scope = NewDisposeScope();
        using var untracked = no_grad();
        var norm = Norm();
        if (double.IsFinite(norm))
        {
            foreach (var group in _optimizer.ParamGroups) group.LearningRate = group.InitialLearningRate * factor;
            foreach (var part in _parts) Step(part, Math.Min(1, maxNorm / (norm + 1e-6)));
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
        SafetensorsFile.Write(path, Tensors(entry => torch.tensor(entry.State.step)));
    }

    /// <summary>
    /// Loads what <see cref="Save"/> wrote, after which training goes on as it would have. The parameters' own values are not in it.
    /// </summary>
    /// <exception cref="InvalidDataException">The file is damaged, or is of other parameters: every mismatch is listed.</exception>
    public void Load(string path)
    {
        using var scope = NewDisposeScope();
        using var file = SafetensorsFile.Open(path);
        var steps = _entries.ToDictionary(entry => entry, _ => torch.zeros([], dtype: ScalarType.Int64));
        // Into the optimizer's own tensors: loading its state dictionary would leave new ones to the scope that is open.
        file.CopyTo(Tensors(entry => steps[entry]), exact: true);
        foreach (var (entry, step) in steps) entry.State.step = step.item<long>();
    }

    public void Dispose()
    {
        _optimizer.Dispose();
        foreach (var entry in _entries.Where(entry => entry.IsCopy)) entry.Stepped.Dispose();
    }

    /// <summary>AdamW skips what has no gradient: so the entries of one part have theirs while all others have none.</summary>
    private void Step(IReadOnlyList<Entry> part, double scale)
    {
        using var scope = NewDisposeScope();
        var reached = new List<Entry>(part.Count);
        foreach (var entry in part)
        {
            if (entry.Parameter.grad is not { } gradient) continue;
            var stepped = gradient.to(ScalarType.Float32);
            if (scale < 1) stepped.mul_(scale);
            entry.Parameter.grad = null;
            entry.Stepped.grad = stepped;
            reached.Add(entry);
        }
        if (reached.Count > 0) _optimizer.step();
        foreach (var entry in reached)
        {
            entry.Stepped.grad = null;
            if (entry.IsCopy) entry.Parameter.copy_(entry.Stepped);
        }
    }

    private double Norm()
    {
        var norms = _entries.Select(entry => GradientNorm(entry.Parameter)).OfType<Tensor>().ToList();
        return norms.Count == 0 ? 0 : torch.stack(norms).norm().item<float>();
    }

    private static Tensor? GradientNorm(Parameter parameter)
    {
        using var scope = NewDisposeScope();
        return parameter.grad?.to(ScalarType.Float32).norm().MoveToOuterDisposeScope();
    }

    /// <summary>The parameters that are stepped themselves, then the copies, some at a time.</summary>
    private static IEnumerable<IReadOnlyList<Entry>> Parts(IReadOnlyList<Entry> entries)
    {
        yield return [.. entries.Where(entry => !entry.IsCopy)];
        var (part, elements) = (new List<Entry>(), 0L);
        foreach (var entry in entries.Where(entry => entry.IsCopy))
        {
            part.Add(entry);
            elements += entry.Stepped.numel();
            if (elements < ElementsAtOnce) continue;
            yield return part;
            (part, elements) = ([], 0);
        }
        yield return part;
    }

    private List<(string Name, Tensor Tensor)> Tensors(Func<Entry, Tensor> step)
    {
        var tensors = new List<(string, Tensor)>();
        foreach (var entry in _entries)
        {
            tensors.Add(($"{entry.Name}.exp_avg", entry.State.exp_avg));
            tensors.Add(($"{entry.Name}.exp_avg_sq", entry.State.exp_avg_sq));
            tensors.Add(($"{entry.Name}.step", step(entry)));
            if (entry.IsCopy) tensors.Add(($"{entry.Name}.master", entry.Stepped));
        }
        return tensors;
    }

    private static Parameter Stepped(Parameter parameter)
    {
        if (parameter.dtype == ScalarType.Float32) return parameter;
        var copy = new Parameter(parameter.detach().to(ScalarType.Float32, copy: true));
        copy.DetachFromDisposeScope();
        return copy;
    }

    /// <param name="Stepped">The parameter itself, or its float32 copy.</param>
    private sealed record Entry(string Name, Parameter Parameter, Parameter Stepped, AdamW.State State)
    {
        public bool IsCopy => !ReferenceEquals(Parameter, Stepped);
    }
}
