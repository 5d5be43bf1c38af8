using TorchSharp;
using static TorchSharp.torch;

namespace FunctionsPipeline.Phi3Vision;

/// <summary>A model on disk: <c>config.json</c>, <c>tokenizer.json</c> and safetensors, in the layout and under the names of the published checkpoint.</summary>
public static class ModelFolder
{
    // Written by some versions of the published code: the embedding table a second time, and a constant.
    private static readonly string[] Ignored =
    [
        "model.vision_embed_tokens.wte.weight",
        "model.vision_embed_tokens.img_processor.vision_model.embeddings.position_ids",
    ];

    /// <summary>Loads a model folder.</summary>
    /// <param name="device">Where the model will compute.</param>
    /// <param name="dtype">What it will compute in; weights of another floating-point type are converted.</param>
    /// <exception cref="InvalidDataException">Something is missing or damaged, or weights do not fit the configuration: every mismatch is listed.</exception>
    public static LoadedModel Load(string folder, Device device, ScalarType dtype)
    {
        var config = Phi3VisionConfig.Load(folder);
        var tokenizer = Tokenizer.Load(folder);
        if (tokenizer.VocabularySize > config.VocabSize)
            throw new InvalidDataException($"'{folder}': the tokenizer has {tokenizer.VocabularySize} tokens, but vocab_size is {config.VocabSize}.");
        return new LoadedModel(LoadModel(folder, config, device, dtype), config, tokenizer);
    }

    /// <summary>Saves a model folder; the weights keep their type.</summary>
    public static void Save(string folder, Phi3VisionModel model, Phi3VisionConfig config, Tokenizer tokenizer)
    {
        config.Save(folder);
        File.WriteAllBytes(Path.Combine(folder, Tokenizer.FileName), tokenizer.Json.Span);
        SafetensorsFile.Write(Path.Combine(folder, Checkpoint.FileName), [.. model.named_parameters().Select(pair => (pair.name, (Tensor)pair.parameter))]);
    }

    /// <summary>Loads the weights alone, of a folder that need not have a tokenizer.</summary>
    /// <exception cref="InvalidDataException">They are missing or damaged, or do not fit the configuration: every mismatch is listed.</exception>
    public static Phi3VisionModel LoadModel(string folder, Phi3VisionConfig config, Device device, ScalarType dtype)
    {
        using var checkpoint = Checkpoint.Open(folder);
        var model = new Phi3VisionModel(config, device, dtype);
        try
        {
            var parameters = model.named_parameters().ToList();
            var mismatches = Mismatches(checkpoint, parameters.ToDictionary(pair => pair.name, pair => pair.parameter.shape)).ToList();
            if (mismatches.Count > 0) throw new InvalidDataException($"The weights in '{folder}' do not fit its config.json:\n  {string.Join("\n  ", mismatches)}");
            using var noGradients = torch.no_grad();
            foreach (var (name, parameter) in parameters)
            {
                using var scope = NewDisposeScope();
                parameter.copy_(checkpoint.Read(name));
            }
            return model;
        }
        catch
        {
            model.Dispose();
            throw;
        }
    }

    private static IEnumerable<string> Mismatches(Checkpoint checkpoint, Dictionary<string, long[]> expected)
    {
        foreach (var (name, shape) in expected)
        {
            if (!checkpoint.Names.Contains(name))
            {
                yield return $"{name}: missing";
                continue;
            }
            var entry = checkpoint.Entry(name);
            if (!entry.Shape.SequenceEqual(shape)) yield return $"{name}: is [{string.Join(", ", entry.Shape)}], but must be [{string.Join(", ", shape)}]";
            if (entry.Dtype == "I64") yield return $"{name}: is I64, but must be F32, F16 or BF16";
        }
        foreach (var name in checkpoint.Names.Where(name => !expected.ContainsKey(name) && !Ignored.Contains(name))) yield return $"{name}: not a weight of this model";
    }
}
