using FunctionsPipeline.Phi3Vision.Config;
using FunctionsPipeline.Phi3Vision.Model;
using FunctionsPipeline.Phi3Vision.Text;
using static TorchSharp.torch;

namespace FunctionsPipeline.Phi3Vision.Weights;

/// <summary>
/// Loads and saves a model on disk: <c>config.json</c>, <c>tokenizer.json</c> and safetensors in the published layout, with its names.
/// </summary>
public static class ModelFolder
{
    /// <summary>Loads a model folder.</summary>
    /// <param name="folder">The folder.</param>
    /// <param name="device">Device of the model.</param>
    /// <param name="dtype">Type of the model's parameters; weights of another floating-point type are converted.</param>
    /// <exception cref="InvalidDataException">
    /// Something is missing or damaged, or weights do not fit the configuration: every mismatch is listed.
    /// </exception>
    public static LoadedModel Load(string folder, Device device, ScalarType dtype)
    {
        var config = Phi3VisionConfig.Load(folder);
        var tokenizer = LoadTokenizer(folder, config);
        return new LoadedModel(LoadModel(folder, config, device, dtype), config, tokenizer);
    }

    /// <summary>
    /// Loads the weights alone, also from a folder without a tokenizer. Peak memory is the model's size plus a few megabytes.
    /// </summary>
    /// <param name="folder">The folder.</param>
    /// <param name="device">Device of the model.</param>
    /// <param name="dtype">Type of the model's parameters; weights of another floating-point type are converted.</param>
    /// <exception cref="InvalidDataException">
    /// Something is missing or damaged, or weights do not fit the configuration: every mismatch is listed.
    /// </exception>
    public static Phi3VisionModel LoadModel(string folder, Device device, ScalarType dtype) =>
        LoadModel(folder, Phi3VisionConfig.Load(folder), device, dtype);

    /// <summary>True when a folder has weights to load.</summary>
    public static bool HasWeights(string folder) => Checkpoint.Exists(folder);

    /// <summary>Saves a model folder; the weights keep their type.</summary>
    public static void Save(string folder, Phi3VisionModel model, Phi3VisionConfig config, Tokenizer tokenizer)
    {
        config.Save(folder);
        File.WriteAllBytes(Path.Combine(folder, Tokenizer.FileName), tokenizer.Json.Span);
        SafetensorsFile.Write(
            Path.Combine(folder, Checkpoint.FileName), [.. model.named_parameters().Select(pair => (pair.name, (Tensor)pair.parameter))]);
    }

    /// <summary>Loads the weights alone with a configuration that was read before; the folder need not have a tokenizer.</summary>
    /// <exception cref="InvalidDataException">
    /// The weights are missing or damaged, or do not fit the configuration: every mismatch is listed.
    /// </exception>
    public static Phi3VisionModel LoadModel(string folder, Phi3VisionConfig config, Device device, ScalarType dtype)
    {
        using var checkpoint = Checkpoint.Open(folder);
        // Checked before the model is created, so that a checkpoint that does not fit costs no memory.
        checkpoint.Require(WeightLayout.Of(config));
        var model = new Phi3VisionModel(config, device, dtype);
        try
        {
            foreach (var (name, parameter) in model.named_parameters()) checkpoint.CopyTo(name, parameter);
            return model;
        }
        catch
        {
            model.Dispose();
            throw;
        }
    }

    /// <summary>Loads the tokenizer and checks that its ids have rows in the model's tables.</summary>
    /// <exception cref="InvalidDataException">The tokenizer is missing or damaged, or has more tokens than the model.</exception>
    internal static Tokenizer LoadTokenizer(string folder, Phi3VisionConfig config)
    {
        var tokenizer = Tokenizer.Load(folder);
        if (tokenizer.VocabularySize > config.VocabSize)
        {
            throw new InvalidDataException(
                $"'{folder}': the tokenizer has {tokenizer.VocabularySize} tokens, but vocab_size is {config.VocabSize}.");
        }
        return tokenizer;
    }
}

/// <summary>A model folder loaded into memory.</summary>
public sealed record LoadedModel(Phi3VisionModel Model, Phi3VisionConfig Config, Tokenizer Tokenizer) : IDisposable
{
    /// <summary>Frees the model's tensors.</summary>
    public void Dispose() => Model.Dispose();
}

/// <summary>Summary of a model folder from its configuration, its tokenizer and the headers of its weights; no weight is read.</summary>
/// <param name="Config">Configuration of the model.</param>
/// <param name="Tokenizer">Tokenizer of the model; null for a folder without one, whose weights load but which cannot answer.</param>
/// <param name="Parameters">Number of values of each part, in the order of <see cref="ModelPart"/>.</param>
/// <param name="Weights">Tensors in the weight files, file by file.</param>
/// <param name="Files">Names of the weight files.</param>
public sealed record ModelSummary(
    Phi3VisionConfig Config,
    Tokenizer? Tokenizer,
    IReadOnlyDictionary<ModelPart, long> Parameters,
    IReadOnlyList<SafetensorsEntry> Weights,
    IReadOnlyList<string> Files)
{
    /// <summary>Number of values of all weights.</summary>
    public long ParameterCount => Parameters.Values.Sum();

    /// <summary>Bytes of all tensors on disk.</summary>
    public long StoredBytes => Weights.Sum(weight => weight.Bytes);

    /// <summary>Memory that the model needs.</summary>
    public MemoryNeeds Memory => new(Config, ParameterCount);

    /// <summary>Reads a folder and checks that configuration, tokenizer and weights fit together.</summary>
    /// <exception cref="InvalidDataException">
    /// Something is missing or damaged, or weights do not fit the configuration: every mismatch is listed.
    /// </exception>
    public static ModelSummary Read(string folder)
    {
        var config = Phi3VisionConfig.Load(folder);
        var tokenizer = File.Exists(Path.Combine(folder, Tokenizer.FileName)) ? ModelFolder.LoadTokenizer(folder, config) : null;
        using var checkpoint = Checkpoint.Open(folder);
        var layout = WeightLayout.Of(config);
        checkpoint.Require(layout);
        return new ModelSummary(config, tokenizer, CountParts(layout), [.. checkpoint.Entries], [.. checkpoint.Files]);
    }

    private static SortedDictionary<ModelPart, long> CountParts(IReadOnlyList<WeightSpec> layout) =>
        new(layout.GroupBy(weight => weight.Part).ToDictionary(part => part.Key, part => part.Sum(weight => weight.Count)));
}
