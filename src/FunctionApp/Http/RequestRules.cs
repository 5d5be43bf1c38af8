using System.Globalization;
using System.Numerics;
using System.Text.Json;
using System.Text.RegularExpressions;
using FunctionsPipeline.Contracts;
using Microsoft.AspNetCore.Http;

namespace FunctionsPipeline.FunctionApp.Http;

/// <summary>Reads a JSON document from the body of an HTTP request.</summary>
internal static class RequestReader
{
    /// <summary>Field name of an error that concerns the complete body: the root in JSONPath.</summary>
    public const string CompleteBody = "$";

    // Requests are typed by hand, so nulls in required members and duplicate members are reported as mistakes.
    internal static JsonSerializerOptions Options { get; } = new(PipelineJson.Options)
    {
        RespectNullableAnnotations = true,
        AllowDuplicateProperties = false,
    };

    /// <param name="what">Description of the expected body, with an example, for error messages.</param>
    /// <exception cref="RequestException">The body is not JSON, has unknown members, or has values of the wrong type.</exception>
    public static async Task<T> ReadAsync<T>(Stream body, string what, CancellationToken cancellationToken)
    {
        try
        {
            return await JsonSerializer.DeserializeAsync<T>(body, Options, cancellationToken)
                ?? throw new RequestException(CompleteBody, 400, $"The body is null; it should be {what}.");
        }
        catch (JsonException e)
        {
            throw new RequestException(Field(e.Path), 400, $"The body cannot be read as {what}: {PipelineJson.Explain(e)}");
        }
    }

    // Turns the reader's JSON path, "$.training.learningRate", into the member name of the request, "training.learningRate".
    private static string Field(string? path) => path?.TrimStart('$').TrimStart('.') is { Length: > 0 } field ? field : CompleteBody;
}

/// <summary>Reads parameters of a query and adds invalid ones to <paramref name="errors"/>.</summary>
internal readonly struct QueryParameters(IQueryCollection query, ValidationErrors errors)
{
    private const int DefaultTop = 50;
    private const int MostTop = 200;

    /// <summary>Returns a parameter's last value; null when it is absent or empty.</summary>
    public string? Text(string name) => query[name].LastOrDefault() is { Length: > 0 } value ? value : null;

    /// <summary>Returns the number of items of a page; 50 when it is absent.</summary>
    public int Top(int most = MostTop)
    {
        if (Text("top") is not { } number) return DefaultTop;
        if (int.TryParse(number, CultureInfo.InvariantCulture, out var top) && top >= 1 && top <= most) return top;
        errors.Add("top", $"is '{number}', must be from 1 to {most}");
        return DefaultTop;
    }

    /// <summary>Returns a number from 0 to 1; null when it is absent.</summary>
    public double? Share(string name)
    {
        if (Text(name) is not { } text) return null;
        if (double.TryParse(text, CultureInfo.InvariantCulture, out var share) && share is >= 0 and <= 1) return share;
        errors.Add(name, $"is '{text}', must be from 0 to 1");
        return null;
    }

    /// <summary>Returns one of a few words; null when it is absent.</summary>
    public string? Word(string name, params IReadOnlyList<string> words)
    {
        if (Text(name) is not { } word) return null;
        if (words.Contains(word)) return word;
        errors.Add(name, $"is '{word}', must be one of {string.Join(", ", words)}");
        return null;
    }
}

/// <summary>Validates the requests of the HTTP API as far as that is possible without asking the Hub.</summary>
internal static partial class RequestRules
{
    private const int LongestTemplate = 4000;
    private const int MostFields = 30;
    private const int MostImages = 8;

    // The mapping is part of an orchestration's custom status, which has 16 kB of UTF-16 for all.
    private const int LongestFields = 4000;

    /// <summary>Lists all mistakes in a request, in the order of its members; empty when the request is valid.</summary>
    public static IReadOnlyList<FieldError> Check(RunRequest request)
    {
        var errors = new ValidationErrors();
        if (request.Run is not null && !RunId().IsMatch(request.Run))
            errors.Add("run", "must be 1 to 40 lower-case letters, digits and dashes");
        Check(request.Dataset, "dataset.", errors);
        CheckRepo("baseModel.", request.BaseModel.Repo, request.BaseModel.Revision, errors);
        // The fields of a view are known when the view is looked up.
        Check(request.Training, request.Dataset.View is null ? FieldsOf(request.Dataset.Columns) : null, errors);
        return errors.All;
    }

    /// <summary>Lists all mistakes in a request to retry rows; empty when the request is valid.</summary>
    public static IReadOnlyList<FieldError> Check(RetryRowsRequest request)
    {
        var errors = new ValidationErrors();
        var reasons = request.Reasons ?? Rejection.Passing;
        if (reasons.Count == 0) errors.Add("reasons", $"must have at least one, or be left out for {string.Join(", ", Rejection.Passing)}");
        for (var i = 0; i < reasons.Count; i++)
        {
            if (!Rejection.All.Contains(reasons[i]))
                errors.Add($"reasons[{i}]", $"is '{reasons[i]}', must be one of {string.Join(", ", Rejection.All)}");
        }
        return errors.All;
    }

    /// <summary>Adds the mistakes in a dataset request to the errors.</summary>
    /// <param name="prefix">Prefix of the members' names in errors: <c>dataset.</c> in a run request.</param>
    public static void Check(DatasetRequest dataset, string prefix, ValidationErrors errors)
    {
        if (dataset.Source is { } source) Check(source, $"{prefix}source", errors);
        // A dataset of blob storage gets a name where the request has none.
        CheckRepo(prefix, dataset is { Source: not null, Repo.Length: 0 } ? null : dataset.Repo, dataset.Revision, errors);
        if (dataset.View is { } view) CheckView(dataset, view, prefix, errors);
        if (dataset.Config is not null) errors.Text($"{prefix}config", dataset.Config);
        if (dataset.Columns is { } columns) Check(columns, $"{prefix}columns", errors);
        errors.Word($"{prefix}images", dataset.Images);
        errors.From($"{prefix}maxImages", dataset.MaxImages, 1, MostImages);
        errors.AtLeast($"{prefix}maxRows", dataset.MaxRows, 1);
        errors.Between($"{prefix}validationFraction", dataset.ValidationFraction, above: 0, below: 1);
        if (!(dataset.TestFraction >= 0 && dataset.TestFraction < 1)) errors.Add($"{prefix}testFraction", "must be from 0 to below 1");
        else if (dataset.ValidationFraction is > 0 and < 1 && dataset.ValidationFraction + dataset.TestFraction >= 1)
            errors.Add($"{prefix}testFraction", "and validationFraction must add up to less than 1: nothing would be left to train on");
    }

    /// <summary>Adds the mistake in the name of a further field to the errors.</summary>
    public static void CheckFieldName(string name, string field, ValidationErrors errors)
    {
        if (!FieldName().IsMatch(name)) errors.Add(field, "must have a name of 1 to 40 letters and digits, a lower-case letter first");
        else if (name is FieldDefinition.Title or FieldDefinition.Category or FieldDefinition.Price or "image" or "product")
            errors.Add(field, $"must have another name: {name} is a member of its own");
    }

    private static void Check(DatasetSource source, string field, ValidationErrors errors)
    {
        if (!ContainerName().IsMatch(source.Container) || source.Container.Contains("--", StringComparison.Ordinal))
        {
            errors.Add($"{field}.container",
                "must be the name of a container: 3 to 63 lower-case letters, digits and single dashes, no dash at either end");
        }
        else if (Containers.All.Contains(source.Container))
        {
            errors.Add($"{field}.container", $"is '{source.Container}', which the pipeline keeps its own blobs in; name another container");
        }
        if (source.Prefix is not { Length: > 0 } prefix) return;
        errors.Text($"{field}.prefix", prefix, longest: 1000);
        if (prefix.Split('/').Any(part => part is "." or "..") || prefix.Contains('\\', StringComparison.Ordinal))
            errors.Add($"{field}.prefix", "must be a folder, with forward slashes and without '.' and '..'");
    }

    /// <summary>Validates the id of a repository on the Hub and its revision.</summary>
    private static void CheckRepo(string prefix, string? repo, string revision, ValidationErrors errors)
    {
        if (repo is not null && !RepoId().IsMatch(repo))
            errors.Add($"{prefix}repo", "must be the id of a repository on the Hub, owner/name");
        errors.Text($"{prefix}revision", revision);
    }

    private static void CheckView(DatasetRequest dataset, string view, string prefix, ValidationErrors errors)
    {
        if (!ViewName().IsMatch(view)) errors.Add($"{prefix}view", "must be the name of an ingested view, 12 hexadecimal digits");
        else if (!Commit().IsMatch(dataset.Revision)) errors.Add($"{prefix}revision", "must be the commit of the view");
        if (dataset != new DatasetRequest { Repo = dataset.Repo, Revision = dataset.Revision, View = view })
            errors.Add($"{prefix}view", "fixes all settings of the dataset but repo and revision; leave the other ones out");
    }

    private static void Check(ColumnMapping columns, string field, ValidationErrors errors)
    {
        errors.Text($"{field}.image", columns.Image);
        if (columns.Title is not null) errors.Text($"{field}.title", columns.Title);
        if (columns.Category is not null) errors.Text($"{field}.category", columns.Category);
        if (columns.Price is not null) errors.Text($"{field}.price", columns.Price);
        if (columns.Product is not null) errors.Text($"{field}.product", columns.Product);
        if (columns.Fields is { } fields) Check(fields, $"{field}.fields", errors);
        if (columns is { Title: null, Category: null, Price: null, Fields: null or { Count: 0 } })
            errors.Add(field, "must name at least one of title, category and price, or have fields: it is what the model learns to say");
    }

    private static void Check(IReadOnlyDictionary<string, FieldColumn> fields, string path, ValidationErrors errors)
    {
        if (fields.Count > MostFields) errors.Add(path, $"are {fields.Count}, must be at most {MostFields}");
        else if (JsonSerializer.Serialize(fields, PipelineJson.Compact).Length > LongestFields)
            errors.Add(path, $"must have at most {LongestFields} characters as JSON; shorten names or units, or map fewer fields");
        foreach (var (name, column) in fields)
        {
            var field = $"{path}.{name}";
            CheckFieldName(name, field, errors);
            // The reader takes null for a value of a dictionary.
            if (column is null)
            {
                errors.Add(field, "must have a column, such as {\"column\": \"brand\"}");
                continue;
            }
            errors.Text($"{field}.column", column.Column);
            errors.Word($"{field}.kind", column.Kind);
            if (column.Unit is not { } unit) continue;
            errors.Text($"{field}.unit", unit, longest: 20);
            if (column.Kind != FieldKind.Number) errors.Add($"{field}.unit", "must be left out: only numbers have a unit");
            // A comma ends a part of the answer.
            else if (unit.Contains(',', StringComparison.Ordinal)) errors.Add($"{field}.unit", "must have no comma");
        }
    }

    /// <summary>Returns the fields that an answer template may name, those with mistakes left out.</summary>
    private static IReadOnlyList<FieldDefinition> FieldsOf(ColumnMapping? columns)
    {
        var fields = columns?.Fields?.Where(field => FieldName().IsMatch(field.Key) && field.Value is not null).ToDictionary();
        return FieldDefinition.OfAnswers(new ColumnMapping { Fields = fields });
    }

    /// <summary>Adds the mistakes in training settings to the errors, in the order of the settings.</summary>
    /// <param name="fields">Fields that the answer template may name; null while they are unknown.</param>
    private static void Check(TrainingSettings training, IReadOnlyList<FieldDefinition>? fields, ValidationErrors errors)
    {
        errors.Word("training.method", training.Method);
        Check(training.Lora, errors);
        Check("training.visionTower", training.VisionTower, errors);
        Check("training.projector", training.Projector, errors);
        errors.Above("training.epochs", training.Epochs, above: 0, to: 1000);
        errors.AtLeast("training.maxSteps", training.MaxSteps, 1);
        // The upper bound is 30 days.
        if (training.MaxMinutes is { } minutes) errors.Above("training.maxMinutes", minutes, above: 0, to: 60 * 24 * 30);
        errors.From("training.batchSize", training.BatchSize, 1, 1024);
        errors.AtLeast("training.microBatchSize", training.MicroBatchSize, 1);
        errors.AtLeast("training.maxTokens", training.MaxTokens, 1);
        errors.Above("training.learningRate", training.LearningRate, above: 0, to: 1);
        errors.Word("training.schedule", training.Schedule);
        errors.AtLeast("training.warmupSteps", training.WarmupSteps, 0);
        errors.From("training.weightDecay", training.WeightDecay, 0, 1);
        errors.Above("training.maxGradNorm", training.MaxGradNorm, above: 0, to: 1e6);
        if (training.Precision is { } precision) errors.Word("training.precision", precision);
        errors.From("training.numCrops", training.NumCrops, 1, 16);
        errors.AtLeast("training.seed", training.Seed, 0);
        errors.AtLeast("training.evaluateEvery", training.EvaluateEvery, 1);
        errors.AtLeast("training.evaluationSamples", training.EvaluationSamples, 1);
        errors.From("training.gallerySamples", training.GallerySamples, 0, 1000);
        errors.AtLeast("training.earlyStopping", training.EarlyStopping, 1);
        errors.AtLeast("training.checkpointEvery", training.CheckpointEvery, 1);
        errors.Above("training.checkpointEveryMinutes", training.CheckpointEveryMinutes, above: 0, to: 60 * 24 * 30);
        errors.AtLeast("training.keepCheckpoints", training.KeepCheckpoints, 1);
        if (training.MaxAnswerTokens is { } answerTokens) errors.From("training.maxAnswerTokens", answerTokens, 1, 1024);
        errors.Text("training.question", training.Question, longest: 1000);
        // A marker of the chat format, such as <|end|>, would end the question or insert a second image.
        if (training.Question.Contains("<|", StringComparison.Ordinal)) errors.Add("training.question", "must not contain '<|'");
        CheckTemplate("training.promptTemplate", training.PromptTemplate, template => _ = new PromptTemplate(template), errors);
        CheckTemplate("training.answerTemplate", training.AnswerTemplate, Parse, errors);
        if (training.Device is not (null or "cpu" or "cuda")) errors.Add("training.device", "must be cpu or cuda, or be left out");

        void Parse(string template)
        {
            if (fields is not null) _ = new AnswerTemplate(template, fields);
        }
    }

    private static void Check(LoraSettings lora, ValidationErrors errors)
    {
        errors.From("training.lora.rank", lora.Rank, 1, 1024);
        errors.Above("training.lora.alpha", lora.Alpha, above: 0, to: 1e6);
        if (!(lora.Dropout >= 0 && lora.Dropout < 1)) errors.Add("training.lora.dropout", "must be from 0 to below 1");
        if (lora.Targets.Count == 0)
            errors.Add("training.lora.targets", $"must name at least one layer, or be left out for {LoraSettings.AllLinear}");
        for (var i = 0; i < lora.Targets.Count; i++) errors.Text($"training.lora.targets[{i}]", lora.Targets[i]);
    }

    private static void Check(string field, PartSettings part, ValidationErrors errors)
    {
        if (part.LearningRate is { } rate) errors.Above($"{field}.learningRate", rate, above: 0, to: 1);
    }

    private static void CheckTemplate(string field, string template, Action<string> parse, ValidationErrors errors)
    {
        if (template.Length > LongestTemplate)
        {
            errors.Add(field, $"must have at most {LongestTemplate} characters");
            return;
        }
        try
        {
            parse(template);
        }
        catch (FormatException e)
        {
            errors.Add(field, e.Message);
        }
    }

    [GeneratedRegex(@"\A[a-z][A-Za-z0-9]{0,39}\z")]
    private static partial Regex FieldName();

    [GeneratedRegex(@"\A[0-9a-f]{12}\z")]
    private static partial Regex ViewName();

    [GeneratedRegex(@"\A[0-9a-f]{40}([0-9a-f]{24})?\z")]
    private static partial Regex Commit();

    // Neither underscore nor dot, which names of the pipeline's own have: the folder _index, the instance {run}.ingest.
    [GeneratedRegex(@"\A[a-z0-9-]{1,40}\z")]
    private static partial Regex RunId();

    // Azure Storage's rule for names of containers; two dashes in a row are checked apart.
    [GeneratedRegex(@"\A[a-z0-9][a-z0-9-]{1,61}[a-z0-9]\z")]
    private static partial Regex ContainerName();

    // At most 96 characters a name, the limit in huggingface_hub's REPO_ID_REGEX.
    [GeneratedRegex(@"\A[A-Za-z0-9][A-Za-z0-9._-]{0,95}/[A-Za-z0-9][A-Za-z0-9._-]{0,95}\z")]
    private static partial Regex RepoId();
}

/// <summary>Collects the invalid members of a request, each with its error message.</summary>
internal sealed class ValidationErrors
{
    private readonly List<FieldError> _errors = [];

    public IReadOnlyList<FieldError> All => _errors;

    public void Add(string field, string message) => _errors.Add(new FieldError(field, $"{field} {message}."));

    /// <summary>Requires text that is not blank, not too long and without control characters.</summary>
    public void Text(string field, string? value, int longest = 200)
    {
        if (string.IsNullOrWhiteSpace(value) || value.Length > longest || value.Any(char.IsControl))
            Add(field, $"must be a text of 1 to {longest} characters, not blank and without control characters");
    }

    public void AtLeast(string field, int? value, int least)
    {
        if (value < least) Add(field, $"is {value}, must be at least {least}");
    }

    /// <summary>Requires a value between two bounds, both included.</summary>
    public void From<T>(string field, T value, T from, T to)
        where T : INumber<T>
    {
        // The negated form rejects NaN, for which every comparison is false. So do those below.
        if (!(value >= from && value <= to)) Add(field, Text($"is {value}, must be from {from} to {to}"));
    }

    /// <summary>Requires a value above the lower bound, which is excluded, and up to the upper one, which is included.</summary>
    public void Above(string field, double value, double above, double to)
    {
        if (!(value > above && value <= to)) Add(field, Text($"is {value}, must be above {above} and at most {to}"));
    }

    /// <summary>Requires a value between two bounds, both excluded.</summary>
    public void Between(string field, double value, double above, double below)
    {
        if (!(value > above && value < below)) Add(field, Text($"is {value}, must be above {above} and below {below}"));
    }

    /// <summary>Requires a named value of the enum, because the JSON reader also accepts undefined numbers.</summary>
    public void Word<T>(string field, T value)
        where T : struct, Enum
    {
        if (!Enum.IsDefined(value))
            Add(field, $"must be one of {string.Join(", ", Enum.GetNames<T>().Select(JsonNamingPolicy.CamelCase.ConvertName))}");
    }

    private static string Text(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
