using FunctionsPipeline.Contracts;
using FunctionsPipeline.Phi3Vision;
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
        var precision = settings.Precision ?? (Device.type == TorchSharp.DeviceType.CUDA ? WeightPrecision.Bfloat16 : WeightPrecision.Float32);
        Precision = precision == WeightPrecision.Bfloat16 ? ScalarType.BFloat16 : ScalarType.Float32;
        _loaded = ModelFolder.Load(folder, Device, Precision);
        try
        {
            Adapters = settings.Method == FineTuningMethod.Lora ? LoraAdapters.Attach(Model, settings.Lora, settings.Seed) : null;
            Parameters = TrainableParameters.Select(Model, Adapters, settings);
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

    public TrainableParameters Parameters { get; }

    public AdamWOptimizer Optimizer { get; }

    /// <summary>
    /// Returns a key of the vision tower's outputs besides the base model, where neither the tower nor the images change during training,
    /// so that the outputs can be cached; null otherwise.
    /// </summary>
    public string? FrozenTower(TrainingSettings settings) =>
        settings is { CacheVisionFeatures: true, AugmentImages: false }
        && !Parameters.All.Any(trained => trained.Name.Contains(".img_processor.", StringComparison.Ordinal))
            ? $"{Precision}" : null;

    /// <summary>Creates a meter of the device's utilization.</summary>
    public DeviceMeter Meter()
    {
        var partOf = WeightLayout.PartsByName(Config);
        var parts = Parameters.All.Where(trained => partOf.ContainsKey(trained.Name)).Select(trained => partOf[trained.Name]).ToHashSet();
        var adapters = Adapters?.Parameters.Where(adapter => adapter.Part == ModelPart.DecoderLayers).Sum(adapter => adapter.Parameter.numel()) ?? 0;
        return new DeviceMeter(
            new ModelCost(Config),
            new TrainedParts(parts.Contains(ModelPart.DecoderLayers), parts.Contains(ModelPart.Projector), parts.Contains(ModelPart.VisionTower), adapters),
            Device.type == TorchSharp.DeviceType.CUDA ? NvidiaGpu.Find() : null,
            Precision == ScalarType.BFloat16);
    }

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
