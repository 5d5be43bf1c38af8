using FunctionsPipeline.Contracts;
using FunctionsPipeline.Phi3Vision;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace FunctionsPipeline.FineTuning;

/// <summary>A parameter that is trained.</summary>
/// <param name="Name">Its name in the model, or that of an adapter's.</param>
/// <param name="PeakRate">Its learning rate where the schedule is at its peak.</param>
internal sealed record TrainableParameter(string Name, Parameter Parameter, double PeakRate)
{
    /// <summary>Whether weight decay applies to it.</summary>
    public bool Decays { get; } = ParameterGroups.Decays(Name, Parameter.dim());
}

/// <summary>
/// What a run trains: with the method <c>full</c> all weights but those of frozen parts, with <c>lora</c> the adapters and the parts that
/// settings name. Of the projector that is <c>img_projection</c> with <c>lora</c>, since an adapter's files cannot hold the separators.
/// </summary>
internal sealed class TrainableParameters
{
    private const string Separators = "_GN";

    private TrainableParameters(IReadOnlyList<TrainableParameter> all, IReadOnlyList<ModelPart> wholeParts) =>
        (All, WholeParts) = (all, wholeParts);

    /// <summary>The parameters, adapters last.</summary>
    public IReadOnlyList<TrainableParameter> All { get; }

    /// <summary>Parts that are trained whole beside adapters, for <see cref="PeftFolder.Save"/>; none with the method <c>full</c>.</summary>
    public IReadOnlyList<ModelPart> WholeParts { get; }

    /// <summary>Numbers that are trained.</summary>
    public long Count => All.Sum(trained => trained.Parameter.numel());

    /// <summary>Picks the parameters, and makes gradients reach these and no others.</summary>
    /// <param name="adapters">Those of the model, with the method <c>lora</c>.</param>
    /// <exception cref="ArgumentException">
    /// There are adapters with <c>full</c> or none with <c>lora</c>, or a part is to be trained whole that has adapters.
    /// </exception>
    public static TrainableParameters Select(Phi3VisionModel model, LoraAdapters? adapters, TrainingSettings settings)
    {
        var full = settings.Method == FineTuningMethod.Full;
        if (full != adapters is null) throw new ArgumentException("The method lora takes adapters, and full takes none.", nameof(adapters));
        var partOf = ModelParts.Of(model.Config);
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

    /// <summary>Saves them as safetensors under their names, each in its type.</summary>
    public void Save(string path) => SafetensorsFile.Write(path, Tensors());

    /// <summary>Loads what <see cref="Save"/> wrote, bit for bit.</summary>
    /// <exception cref="InvalidDataException">The file is damaged, or is of other parameters or types: every mismatch is listed.</exception>
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
