using System.Text.Json;
using System.Text.Json.Serialization;
using FunctionsPipeline.Contracts;

namespace FunctionsPipeline.FineTuning;

/// <summary>Settings to prompt a fine-tuned model and parse its answers as in its training: <c>serving.json</c> in its folder.</summary>
public sealed record ServingSettings
{
    /// <summary>Name of the file in a model folder.</summary>
    public const string FileName = "serving.json";

    // Beyond so many, values are closer to free text than to a list to choose from.
    private const int MostValues = 999;

    // Beyond so many, fields are missing at random: the next answer may have a set of fields that no other has.
    private const int MostFieldSets = 31;

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
    public int MaxAnswerTokens { get; init; } = new AnswerTemplate(Defaults.AnswerTemplate).MaxTokens;

    /// <summary>Fields that the answer template may name; title, category and price when null.</summary>
    public IReadOnlyList<FieldDefinition>? Definitions { get; init; }

    /// <summary>
    /// Values of the training split by field, sorted: categories and the items of lists. A field is left out when its values are unknown,
    /// or 1,000 and more; null for none.
    /// </summary>
    public IReadOnlyDictionary<string, IReadOnlyList<string>>? Values { get; init; }

    /// <summary>Sets of fields that the answers of the training split have; null when they are unknown, or 32 and more.</summary>
    // The name in files of all versions.
    [JsonPropertyName("fields")]
    public IReadOnlyList<IReadOnlyList<string>>? FieldSets { get; init; }

    /// <summary>Categories in files of earlier versions, which <see cref="Load"/> turns into <see cref="Values"/>.</summary>
    public IReadOnlyList<string>? Classes { get; init; }

    /// <summary>Takes the serving settings from a run's training settings.</summary>
    /// <param name="fields">Fields that the answer template may name; title, category and price when null.</param>
    public static ServingSettings Of(TrainingSettings settings, IReadOnlyList<FieldDefinition>? fields = null) => new()
    {
        Question = settings.Question,
        PromptTemplate = settings.PromptTemplate,
        AnswerTemplate = settings.AnswerTemplate,
        NumCrops = settings.NumCrops,
        MaxAnswerTokens = settings.MaxAnswerTokens ?? new AnswerTemplate(settings.AnswerTemplate, fields).MaxTokens,
        Definitions = fields,
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
            _ = settings.ToAnswerTemplate();
            return settings.Classes is not { } classes ? settings : settings with
            {
                Classes = null,
                Values = new Dictionary<string, IReadOnlyList<string>> { [FieldDefinition.Category] = classes },
            };
        }
        catch (Exception e) when (e is JsonException or FormatException)
        {
            throw new InvalidDataException($"{path} is not what it should be: {e.Message}", e);
        }
    }

    /// <summary>Writes the settings of a run into a model folder.</summary>
    /// <param name="training">Answers of the training split.</param>
    /// <param name="fields">Fields that the answer template may name; title, category and price when null.</param>
    public static void Save(
        string folder, TrainingSettings settings, IEnumerable<Answer>? training = null, IReadOnlyList<FieldDefinition>? fields = null)
    {
        var serving = Of(settings, fields);
        if (training is not null) serving = serving.LimitedTo(training);
        File.WriteAllBytes(Path.Combine(folder, FileName), JsonSerializer.SerializeToUtf8Bytes(serving, PipelineJson.Options));
    }

    /// <summary>Creates the template that answers are written and parsed with.</summary>
    /// <exception cref="FormatException">The template is invalid; the message gives the reason.</exception>
    public AnswerTemplate ToAnswerTemplate() => new(AnswerTemplate, Definitions);

    // Enumerates the answers once, as they may not fit into memory.
    private ServingSettings LimitedTo(IEnumerable<Answer> answers)
    {
        var fields = ToAnswerTemplate().Parts.Select(part => part.Field).ToList();
        var known = fields.Where(field => field.Kind is FieldKind.Category or FieldKind.List)
            .ToDictionary(field => field.Name, _ => new SortedSet<string>(StringComparer.Ordinal));
        var names = new Dictionary<string, List<string>>();
        foreach (var answer in answers)
        {
            List<string> set = [.. fields.Select(field => field.Name).Where(name => answer.ValueOf(name) is not null)];
            if (set.Count > 0) names.TryAdd(string.Join(' ', set), set);
            foreach (var (name, texts) in known) texts.UnionWith(Texts(answer.ValueOf(name)));
        }
        var values = known.Where(field => field.Value.Count is > 0 and <= MostValues)
            .ToDictionary(field => field.Key, IReadOnlyList<string> (field) => [.. field.Value]);
        var sets = names.Values.OrderByDescending(set => set.Count).ToList();
        return this with
        {
            Values = values.Count > 0 ? values : null,
            FieldSets = sets.Count is > 0 and <= MostFieldSets ? sets : null,
        };

        static IEnumerable<string> Texts(FieldValue? value) => value?.Items ?? (value?.Text is { } text ? [text] : []);
    }
}
