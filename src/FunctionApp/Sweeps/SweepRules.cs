using System.Globalization;
using System.Text.Json;
using System.Text.RegularExpressions;
using FunctionsPipeline.Contracts;
using FunctionsPipeline.FunctionApp.Http;

namespace FunctionsPipeline.FunctionApp.Sweeps;

/// <summary>Validates sweep requests as far as that is possible without asking the Hub.</summary>
internal static partial class SweepRules
{
    private const int MostRuns = 100;

    /// <summary>Lists all mistakes in a request, each with its remedy; empty when the request is valid.</summary>
    public static IReadOnlyList<FieldError> Check(SweepRequest request)
    {
        var errors = new ValidationErrors();
        if (request.Sweep is not null && !SweepId().IsMatch(request.Sweep))
            errors.Add("sweep", "must be 1 to 36 lower-case letters, digits and dashes");
        if (request.Run.Run is not null) errors.Add("run.run", "must be left out: the runs are named after the sweep");
        foreach (var error in RequestRules.Check(request.Run with { Run = null })) errors.Add($"run.{error.Field}", Rest(error));
        errors.Word("method", request.Method);
        errors.AtLeast("seed", request.Seed, 0);
        errors.From("parallelism", request.Parallelism, 1, MostRuns);
        errors.Word("pruning.rule", request.Pruning.Rule);
        errors.AtLeast("pruning.afterValidations", request.Pruning.AfterValidations, 0);
        errors.AtLeast("pruning.minRuns", request.Pruning.MinRuns, 1);
        if (request.Space.Count == 0)
            errors.Add("space", "must name at least one training setting, such as {\"learningRate\": {\"values\": [0.0001, 0.0002]}}");
        var mistakes = errors.All.Count;
        foreach (var (name, setting) in request.Space) Check(request, name, setting, errors);
        // The number of combinations means nothing while a setting is wrong.
        if (errors.All.Count == mistakes && request.Space.Count > 0) CheckBudget(request, errors);
        return errors.All;
    }

    private static void Check(SweepRequest request, string name, SearchValues setting, ValidationErrors errors)
    {
        var field = $"space.{name}";
        if (!TrainingSetting.Types.ContainsKey(name))
        {
            var members = TrainingSetting.Types.Keys.Where(other => other.StartsWith($"{name}.", StringComparison.Ordinal)).ToList();
            errors.Add(field, members.Count > 0
                ? $"is a group of settings; name one of {string.Join(", ", members)}"
                : "is no training setting; it must be a member of run.training, such as learningRate or lora.rank");
        }
        else if (setting is { Values: { } values })
        {
            if (setting is not { Min: null, Max: null, Log: false }) errors.Add(field, "must have either values or min, max and log");
            if (values.Count == 0) errors.Add($"{field}.values", "is empty; give at least one value, or leave the setting out");
            for (var i = 0; i < values.Count; i++) CheckValue(request, name, values[i], $"{field}.values[{i}]", errors);
            var repeated = values.GroupBy(value => value.GetRawText()).FirstOrDefault(same => same.Count() > 1);
            if (repeated is not null) errors.Add($"{field}.values", $"has {repeated.Key} twice");
        }
        else CheckRange(request, name, setting, errors);
    }

    private static void CheckRange(SweepRequest request, string name, SearchValues setting, ValidationErrors errors)
    {
        var field = $"space.{name}";
        if (setting is not { Min: { } min, Max: { } max })
        {
            errors.Add(field, "must have values, such as {\"values\": […]}, or both min and max");
            return;
        }
        if (!SearchSpace.IsNumber(name)) errors.Add(field, "is no number, so that it has no range; list its values");
        else if (request.Method == SearchMethod.Grid)
            errors.Add(field, "has a range, which only the method random can draw from; list values for a grid");
        else if (!(min < max)) errors.Add($"{field}.max", "must be above min");
        else if (setting.Log && min <= 0) errors.Add($"{field}.min", "must be above 0 when log is true");
        else
        {
            CheckValue(request, name, Bound(name, Math.Ceiling(min), min), $"{field}.min", errors);
            CheckValue(request, name, Bound(name, Math.Floor(max), max), $"{field}.max", errors);
        }
    }

    private static JsonElement Bound(string name, double integer, double number) => SearchSpace.IsInteger(name)
        ? JsonSerializer.SerializeToElement((long)Math.Clamp(integer, long.MinValue, long.MaxValue))
        : JsonSerializer.SerializeToElement(number);

    /// <summary>Adds the mistakes that a value would be in the training settings of a run.</summary>
    private static void CheckValue(SweepRequest request, string name, JsonElement value, string field, ValidationErrors errors)
    {
        TrainingSettings settings;
        try
        {
            settings = TrainingSetting.Apply(request.Run.Training, new Dictionary<string, JsonElement> { [name] = value });
        }
        catch (JsonException)
        {
            errors.Add(field, $"is {value.GetRawText()}, which {name} cannot be; see training.{name} of a run request");
            return;
        }
        var training = $"training.{name}";
        foreach (var error in RequestRules.Check(request.Run with { Training = settings }))
            if (error.Field.StartsWith(training, StringComparison.Ordinal)) errors.Add(field, Rest(error));
    }

    private static void CheckBudget(SweepRequest request, ValidationErrors errors)
    {
        var combinations = SearchSpace.Combinations(request.Space);
        var count = combinations.ToString(CultureInfo.InvariantCulture);
        if (request.Budget is < 1 or > MostRuns) errors.From("budget", request.Budget.Value, 1, MostRuns);
        else if (request.Budget > combinations)
            errors.Add("budget", $"is {request.Budget}, but the space has {count} combinations; lower it, or give more values");
        else if (request.Method == SearchMethod.Random && request.Budget is null)
            errors.Add("budget", "must be given for a random search: the number of runs");
        else if (request.Method == SearchMethod.Grid && request.Budget is { } budget && budget < combinations)
        {
            errors.Add("budget",
                $"is {budget}, but the grid has {count} combinations; leave it out to run all, or set method to random to draw some");
        }
        else if (request.Method == SearchMethod.Grid && combinations > MostRuns)
        {
            errors.Add(
                "space", $"has {count} combinations, more than {MostRuns}; give fewer values, or set method to random and a budget");
        }
    }

    // An error's message without the name of its field, which begins it.
    private static string Rest(FieldError error) => error.Message[error.Field.Length..].Trim().TrimEnd('.');

    // Four characters less than a run's id: its runs have a dot and up to three digits.
    [GeneratedRegex(@"\A[a-z0-9-]{1,36}\z")]
    private static partial Regex SweepId();
}
