namespace FunctionsPipeline.Phi3Vision;

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
