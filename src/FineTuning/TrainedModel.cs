using FunctionsPipeline.Contracts;
using FunctionsPipeline.FineTuning.Tracking;
using FunctionsPipeline.Phi3Vision.Adapters;
using FunctionsPipeline.Phi3Vision.Config;
using FunctionsPipeline.Phi3Vision.Model;
using FunctionsPipeline.Phi3Vision.Text;
using FunctionsPipeline.Phi3Vision.Vision;
using FunctionsPipeline.Phi3Vision.Weights;
using TorchSharp;
using static TorchSharp.torch;

namespace FunctionsPipeline.FineTuning;

/// <summary>Model of a run: weights, adapters, trainable parameters and optimizer.</summary>
internal sealed class TrainedModel : IDisposable
{
    /// <summary>Name of the adapter's folder within a fine-tuned model's folder.</summary>
    public const string AdapterFolder = "adapter";

    private const string WeightsFile = "trainable.safetensors";
    private const string OptimizerFile = "optimizer.safetensors";

    private readonly LoadedModel _loaded;

    /// <param name="folder">Folder of the base model.</param>
    /// <exception cref="TrainingException">The settings do not fit the model; the message says what to change.</exception>
    public TrainedModel(string folder, TrainingSettings settings)
    {
        Device = new Device(settings.Device ?? (cuda.is_available() ? "cuda" : "cpu"));
        var precision = settings.Precision
            ?? (Device.type == TorchSharp.DeviceType.CUDA ? WeightPrecision.Bfloat16 : WeightPrecision.Float32);
        Precision = precision == WeightPrecision.Bfloat16 ? ScalarType.BFloat16 : ScalarType.Float32;
        _loaded = ModelFolder.Load(folder, Device, Precision);
        try
        {
            Adapters = settings.Method == FineTuningMethod.Lora ? LoraAdapters.Attach(Model, settings.Lora, settings.Seed) : null;
            Parameters = ParameterSelection.Of(Model, Adapters, settings);
        }
        catch (ArgumentException e)
        {
            Adapters?.Dispose();
            _loaded.Dispose();
            throw new TrainingException(e.Message, e);
        }
        Optimizer = new AdamWOptimizer(Parameters.All, settings.WeightDecay);
    }

    public Device Device { get; }

    /// <summary>Type of the weights.</summary>
    public ScalarType Precision { get; }

    public Phi3VisionModel Model => _loaded.Model;

    public Phi3VisionConfig Config => _loaded.Config;

    public Tokenizer Tokenizer => _loaded.Tokenizer;

    /// <summary>Low-rank adapters; null with the method <c>full</c>.</summary>
    public LoraAdapters? Adapters { get; }

    public ParameterSelection Parameters { get; }

    public AdamWOptimizer Optimizer { get; }

    /// <summary>
    /// Returns a key of the vision tower's outputs besides the base model, where neither the tower nor the images change during training,
    /// so that the outputs can be cached; null otherwise.
    /// </summary>
    public string? FrozenTower(TrainingSettings settings) =>
        settings is { CacheVisionFeatures: true, AugmentImages: false }
        && !Parameters.All.Any(trained => trained.Name.Contains(".img_processor.", StringComparison.Ordinal))
            ? $"{Precision}" : null;

    /// <summary>Number of bytes of the vision tower's output for a view, [576, C].</summary>
    public long BytesOfView => (long)ImageFeatures.PatchesOfView * Config.Clip.HiddenSize * Precision.ElementSize();

    /// <summary>Creates a meter of the device's utilization.</summary>
    public DeviceMeter Meter()
    {
        var partOf = WeightLayout.PartsByName(Config);
        var parts = Parameters.All.Where(trained => partOf.ContainsKey(trained.Name)).Select(trained => partOf[trained.Name]).ToHashSet();
        var adapters = Adapters?.Parameters.Where(adapter => adapter.Part == ModelPart.DecoderLayers)
            .Sum(adapter => adapter.Parameter.numel()) ?? 0;
        return new DeviceMeter(
            new ModelCost(Config),
            new TrainedParts(
                parts.Contains(ModelPart.DecoderLayers), parts.Contains(ModelPart.Projector), parts.Contains(ModelPart.VisionTower),
                adapters),
            Device.type == TorchSharp.DeviceType.CUDA ? NvidiaGpu.Find() : null,
            Precision == ScalarType.BFloat16);
    }

    /// <summary>Number of bytes that <see cref="Save"/> writes, but for headers.</summary>
    public long CheckpointBytes => Parameters.Bytes + Optimizer.Bytes;

    /// <summary>Number of bytes of the exported model's weights.</summary>
    public long ModelBytes => Model.parameters().Sum(parameter => parameter.numel() * parameter.element_size());

    /// <summary>Saves the trainable parameters and the optimizer's state.</summary>
    public void Save(string folder)
    {
        Parameters.Save(Path.Combine(folder, WeightsFile));
        Optimizer.Save(Path.Combine(folder, OptimizerFile));
    }

    /// <summary>Loads what <see cref="Save"/> wrote, after which training continues as if it had not stopped.</summary>
    public void Load(string folder)
    {
        LoadWeights(folder);
        Optimizer.Load(Path.Combine(folder, OptimizerFile));
    }

    /// <summary>Loads the weights without the optimizer's state, for evaluation or export.</summary>
    public void LoadWeights(string folder) => Parameters.Load(Path.Combine(folder, WeightsFile));

    /// <summary>
    /// Writes the fine-tuned model: the adapter in PEFT's format, where there is one, and the weights with the adapters merged into them.
    /// The merge changes this model as well.
    /// </summary>
    /// <param name="baseModel">Base model of the adapter: a repository's name.</param>
    public void Export(string folder, string baseModel)
    {
        if (Adapters is not null)
        {
            var adapter = Directory.CreateDirectory(Path.Combine(folder, AdapterFolder)).FullName;
            PeftFolder.Save(adapter, Adapters, baseModel, Parameters.WholeParts);
            Adapters.Merge();
        }
        ModelFolder.Save(folder, Model, Config, Tokenizer);
    }

    public void Dispose()
    {
        Optimizer.Dispose();
        Adapters?.Dispose();
        _loaded.Dispose();
    }
}

/// <summary>
/// Parameters that a run trains: with the method <c>full</c> all weights except those of frozen parts, with <c>lora</c> the adapters and
/// the parts that the settings name. With <c>lora</c> the projector means <c>img_projection</c> only, since PEFT's files cannot hold the
/// separators.
/// </summary>
internal sealed class ParameterSelection
{
    private const string Separators = "_GN";

    private ParameterSelection(IReadOnlyList<OptimizedParameter> all, IReadOnlyList<ModelPart> wholeParts) =>
        (All, WholeParts) = (all, wholeParts);

    /// <summary>All trainable parameters, those of adapters last.</summary>
    public IReadOnlyList<OptimizedParameter> All { get; }

    /// <summary>
    /// Parts that are trained complete besides adapters, for <see cref="PeftFolder.Save"/>; none with the method <c>full</c>.
    /// </summary>
    public IReadOnlyList<ModelPart> WholeParts { get; }

    /// <summary>Number of trained values.</summary>
    public long Count => All.Sum(trained => trained.Parameter.numel());

    /// <summary>Number of bytes of the trained values, in their types.</summary>
    public long Bytes => All.Sum(trained => trained.Parameter.numel() * trained.Parameter.element_size());

    /// <summary>Selects the parameters and sets <c>requires_grad</c> so that gradients reach exactly these.</summary>
    /// <param name="adapters">Adapters of the model with the method <c>lora</c>; null with <c>full</c>.</param>
    /// <exception cref="ArgumentException">
    /// There are adapters with <c>full</c> or none with <c>lora</c>, or a part that is to be trained complete has adapters.
    /// </exception>
    public static ParameterSelection Of(Phi3VisionModel model, LoraAdapters? adapters, TrainingSettings settings)
    {
        var full = settings.Method == FineTuningMethod.Full;
        if (full != adapters is null) throw new ArgumentException("The method lora takes adapters, and full takes none.", nameof(adapters));
        var partOf = WeightLayout.PartsByName(model.Config);
        foreach (var layer in adapters?.Layers ?? [])
        {
            if (Settings(settings, layer.Part)?.Train != true) continue;
            throw new ArgumentException(
                $"{layer.Layer} has an adapter, but is to be trained in full too: leave the target out, or do not train the {layer.Part}.",
                nameof(settings));
        }
        var trained = new List<OptimizedParameter>();
        foreach (var (name, parameter) in model.named_parameters())
        {
            var part = Settings(settings, partOf[name]);
            parameter.requires_grad = part?.Train ?? full;
            if (!full && name.EndsWith(Separators, StringComparison.Ordinal)) parameter.requires_grad = false;
            if (parameter.requires_grad) trained.Add(new OptimizedParameter(name, parameter, part?.LearningRate ?? settings.LearningRate));
        }
        foreach (var (name, part, parameter) in adapters?.Parameters ?? [])
        {
            trained.Add(new OptimizedParameter(name, parameter, Settings(settings, part)?.LearningRate ?? settings.LearningRate));
        }
        ModelPart[] parts = [ModelPart.VisionTower, ModelPart.Projector];
        return new ParameterSelection(trained, full ? [] : [.. parts.Where(part => Settings(settings, part)?.Train == true)]);
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
