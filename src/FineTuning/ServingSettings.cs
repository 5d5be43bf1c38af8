using System.Text.Json;
using FunctionsPipeline.Contracts;

namespace FunctionsPipeline.FineTuning;

/// <summary>How a fine-tuned model is asked, so that it is asked as it was trained: <c>serving.json</c> in its folder.</summary>
public sealed record ServingSettings
{
    /// <summary>Name of the file in a model folder.</summary>
    public const string FileName = "serving.json";

    private static readonly TrainingSettings Defaults = new();

    /// <summary>What the model is asked about every image.</summary>
    public string Question { get; init; } = Defaults.Question;

    /// <summary>Image crops of 336×336 at most.</summary>
    public int NumCrops { get; init; } = Defaults.NumCrops;

    /// <summary>Tokens an answer may have at most.</summary>
    public int MaxAnswerTokens { get; init; } = Defaults.MaxAnswerTokens;

    /// <summary>The settings of a model folder; the defaults when it has none, as a base model.</summary>
    /// <exception cref="InvalidDataException">The file is not what it should be.</exception>
    public static ServingSettings Load(string folder)
    {
        var path = Path.Combine(folder, FileName);
        if (!File.Exists(path)) return new ServingSettings();
        try
        {
            return JsonSerializer.Deserialize<ServingSettings>(File.ReadAllBytes(path), PipelineJson.Options)!;
        }
        catch (JsonException e)
        {
            throw new InvalidDataException($"{path} is not what it should be: {e.Message}", e);
        }
    }

    /// <summary>Writes the settings of a run into a model folder.</summary>
    public static void Save(string folder, TrainingSettings settings)
    {
        var serving = new ServingSettings
        {
            Question = settings.Question,
            NumCrops = settings.NumCrops,
            MaxAnswerTokens = settings.MaxAnswerTokens,
        };
        File.WriteAllBytes(Path.Combine(folder, FileName), JsonSerializer.SerializeToUtf8Bytes(serving, PipelineJson.Options));
    }
}
