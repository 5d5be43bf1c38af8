using System.Text.Json;
using FunctionsPipeline.Contracts;

namespace FunctionsPipeline.FineTuning;

/// <summary>Settings to prompt a fine-tuned model and parse its answers as in its training: <c>serving.json</c> in its folder.</summary>
public sealed record ServingSettings
{
    /// <summary>Name of the file in a model folder.</summary>
    public const string FileName = "serving.json";

    // Beyond so many, categories are closer to free text than to a list to choose from.
    private const int MostClasses = 999;

    private static readonly TrainingSettings Defaults = new();

    /// <summary>Question that the model is asked about every image.</summary>
    public string Question { get; init; } = Defaults.Question;

    /// <summary>Template of the prompt around the question: <see cref="Contracts.PromptTemplate"/>.</summary>
    public string PromptTemplate { get; init; } = Defaults.PromptTemplate;

    /// <summary>Template of the answers: <see cref="Contracts.AnswerTemplate"/>.</summary>
    public string AnswerTemplate { get; init; } = Defaults.AnswerTemplate;

    /// <summary>Maximum number of 336×336 crops of an image.</summary>
    public int NumCrops { get; init; } = Defaults.NumCrops;

    /// <summary>Maximum number of tokens of an answer.</summary>
    public int MaxAnswerTokens { get; init; } = Defaults.MaxAnswerTokens;

    /// <summary>Categories of the training split, sorted; null when they are unknown, none, or 1,000 and more.</summary>
    public IReadOnlyList<string>? Classes { get; init; }

    /// <summary>Sets of fields that the answers of the training split have; null when they are unknown.</summary>
    public IReadOnlyList<IReadOnlyList<string>>? Fields { get; init; }

    /// <summary>Takes the serving settings from a run's training settings.</summary>
    public static ServingSettings Of(TrainingSettings settings) => new()
    {
        Question = settings.Question,
        PromptTemplate = settings.PromptTemplate,
        AnswerTemplate = settings.AnswerTemplate,
        NumCrops = settings.NumCrops,
        MaxAnswerTokens = settings.MaxAnswerTokens,
    };

    /// <summary>Loads the settings of a model folder; a folder without the file, such as a base model's, gets the defaults.</summary>
    /// <exception cref="InvalidDataException">The file is not valid.</exception>
    public static ServingSettings Load(string folder)
    {
        var path = Path.Combine(folder, FileName);
        if (!File.Exists(path)) return new ServingSettings();
        try
        {
            var settings = JsonSerializer.Deserialize<ServingSettings>(File.ReadAllBytes(path), PipelineJson.Options)
                ?? throw new JsonException("it holds null");
            _ = new PromptTemplate(settings.PromptTemplate);
            _ = new AnswerTemplate(settings.AnswerTemplate);
            return settings;
        }
        catch (Exception e) when (e is JsonException or FormatException)
        {
            throw new InvalidDataException($"{path} is not what it should be: {e.Message}", e);
        }
    }

    /// <summary>Writes the settings of a run into a model folder.</summary>
    /// <param name="training">Answers of the training split.</param>
    public static void Save(string folder, TrainingSettings settings, IEnumerable<Answer>? training = null)
    {
        var serving = training is null ? Of(settings) : Of(settings).LimitedTo([.. training]);
        File.WriteAllBytes(Path.Combine(folder, FileName), JsonSerializer.SerializeToUtf8Bytes(serving, PipelineJson.Options));
    }

    private ServingSettings LimitedTo(IReadOnlyList<Answer> answers)
    {
        var fields = new AnswerTemplate(AnswerTemplate).Parts.Select(part => part.Field.Name).ToList();
        List<string> classes = fields.Contains("category")
            ? [.. answers.Select(answer => answer.Category).OfType<string>().Distinct().Order(StringComparer.Ordinal)]
            : [];
        var sets = answers.Select(answer => fields.Where(field => Has(answer, field)).ToList()).Where(set => set.Count > 0)
            .DistinctBy(set => string.Join(' ', set)).OrderByDescending(set => set.Count).ToList();
        return this with { Classes = classes.Count is > 0 and <= MostClasses ? classes : null, Fields = sets.Count > 0 ? sets : null };

        static bool Has(Answer answer, string field) =>
            (field switch { "title" => answer.Title, "category" => answer.Category, _ => (object?)answer.Price }) is not null;
    }
}
