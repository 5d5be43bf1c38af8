using FunctionsPipeline.Contracts;
using FunctionsPipeline.Phi3Vision;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace FunctionsPipeline.FineTuning;

/// <summary>A parameter that is trained.</summary>
/// <param name="Name">Name of the parameter in the model, or among the adapters.</param>
/// <param name="PeakRate">Learning rate at the peak of the schedule.</param>
internal sealed record TrainableParameter(string Name, Parameter Parameter, double PeakRate)
{
    /// <summary>True when weight decay applies to the parameter.</summary>
    public bool Decays { get; } = ParameterGroups.Decays(Name, Parameter.dim());
}

/// <summary>
/// Parameters that a run trains: with the method <c>full</c> all weights except those of frozen parts, with <c>lora</c> the adapters and
/// the parts that the settings name. With <c>lora</c> the projector means <c>img_projection</c> only, since PEFT's files cannot hold the
/// separators.
/// </summary>
internal sealed class TrainableParameters
{
    private const string Separators = "_GN";

    private TrainableParameters(IReadOnlyList<TrainableParameter> all, IReadOnlyList<ModelPart> wholeParts) =>
        (All, WholeParts) = (all, wholeParts);

    /// <summary>All trainable parameters, those of adapters last.</summary>
    public IReadOnlyList<TrainableParameter> All { get; }

    /// <summary>
    /// Parts that are trained complete besides adapters, for <see cref="PeftFolder.Save"/>; none with the method <c>full</c>.
    /// </summary>
    public IReadOnlyList<ModelPart> WholeParts { get; }

    /// <summary>Number of trained values.</summary>
    public long Count => All.Sum(trained => trained.Parameter.numel());

    /// <summary>Selects the parameters and sets <c>requires_grad</c> so that gradients reach exactly these.</summary>
    /// <param name="adapters">Adapters of the model with the method <c>lora</c>; null with <c>full</c>.</param>
    /// <exception cref="ArgumentException">
    /// There are adapters with <c>full</c> or none with <c>lora</c>, or a part that is to be trained complete has adapters.
    /// </exception>
    public static TrainableParameters Select(Phi3VisionModel model, LoraAdapters? adapters, TrainingSettings settings)
    {
        var full = settings.Method == FineTuningMethod.Full;
        if (full != adapters is null) throw new ArgumentException("The method lora takes adapters, and full takes none.", nameof(adapters));
        var partOf = WeightLayout.PartsByName(model.Config);
        foreach (var layer in adapters?.Layers ?? [])
            if (Settings(settings, layer.Part)?.Train == true)
                throw new ArgumentException(
                    $"{layer.Layer} has an adapter, but is to be trained whole too: leave the target out, or do not train the {layer.Part}.",
                    nameof(settings));
        var trained = new List<TrainableParameter>();
        foreach (var (name, parameter) in model.named_parameters())
        {
            var part = Settings(settings, partOf[name]);
            parameter.requires_grad = part?.Train ?? full;
            if (!full && name.EndsWith(Separators, StringComparison.Ordinal)) parameter.requires_grad = false;
            if (parameter.requires_grad) trained.Add(new TrainableParameter(name, parameter, part?.LearningRate ?? settings.LearningRate));
        }
        foreach (var (name, part, parameter) in adapters?.Parameters ?? [])
            trained.Add(new TrainableParameter(name, parameter, Settings(settings, part)?.LearningRate ?? settings.LearningRate));
        ModelPart[] parts = [ModelPart.VisionTower, ModelPart.Projector];
        return new TrainableParameters(trained, full ? [] : [.. parts.Where(part => Settings(settings, part)?.Train == true)]);
    }

    /// <summary>Saves the parameters as safetensors, each under its name and in its type.</summary>
    public void Save(string path) => SafetensorsFile.Write(path, Tensors());

    /// <summary>Loads what <see cref="Save"/> wrote, bit for bit.</summary>
    /// <exception cref="InvalidDataException">The file is damaged, or has other parameters or types: every mismatch is listed.</exception>
    public void Load(string path)
    {
        using var file = SafetensorsFile.Open(path);
        file.CopyTo(Tensors(), exact: true);
    }

    private List<(string Name, Tensor Tensor)> Tensors() => [.. All.Select(trained => (trained.Name, (Tensor)trained.Parameter))];

    private static PartSettings? Settings(TrainingSettings settings, ModelPart part) => part switch
    {
        ModelPart.VisionTower => settings.VisionTower,
        ModelPart.Projector => settings.Projector,
        _ => null,
    };
}
