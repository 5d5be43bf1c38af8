using System.Text.Json;
using FunctionsPipeline.Contracts;

namespace FunctionsPipeline.FunctionApp.Sweeps;

/// <summary>Chooses the settings of a sweep's runs from a valid search space.</summary>
internal static class SearchSpace
{
    // Three significant digits tell values apart as far as training does, and stay readable.
    private const int Digits = 3;

    /// <summary>Counts the combinations of a space; infinite when it has a range of numbers that are no integers.</summary>
    public static double Combinations(IReadOnlyDictionary<string, SearchValues> space) =>
        space.Aggregate(1.0, (count, setting) => count * (setting.Value switch
        {
            { Values: { } values } => values.Count,
            { Min: { } min, Max: { } max } when IsInteger(setting.Key) => Math.Floor(max) - Math.Ceiling(min) + 1,
            _ => double.PositiveInfinity,
        }));

    /// <summary>True when the type of a setting is an integer.</summary>
    public static bool IsInteger(string setting) => Type(setting) == typeof(int);

    /// <summary>True when the type of a setting is a number.</summary>
    public static bool IsNumber(string setting) => Type(setting) == typeof(double) || IsInteger(setting);

    /// <summary>Returns the settings of each run: every combination, the last setting changing fastest, or drawn ones.</summary>
    public static IReadOnlyList<IReadOnlyDictionary<string, JsonElement>> Choose(SweepRequest request) =>
        request.Method == SearchMethod.Grid ? Grid(request.Space) : Draw(request.Space, request.Budget!.Value, new Random(request.Seed));

    private static IReadOnlyList<IReadOnlyDictionary<string, JsonElement>> Grid(IReadOnlyDictionary<string, SearchValues> space)
    {
        IEnumerable<IEnumerable<KeyValuePair<string, JsonElement>>> combinations = [[]];
        foreach (var (name, setting) in space)
        {
            combinations = combinations.SelectMany(
                combination => setting.Values!.Select(value => combination.Append(KeyValuePair.Create(name, value))));
        }
        return [.. combinations.Select(combination => combination.ToDictionary())];
    }

    private static IReadOnlyList<IReadOnlyDictionary<string, JsonElement>> Draw(
        IReadOnlyDictionary<string, SearchValues> space, int budget, Random random)
    {
        var runs = new List<IReadOnlyDictionary<string, JsonElement>>(budget);
        var drawn = new HashSet<string>();
        // Ends, as there are at least as many combinations as runs.
        while (runs.Count < budget)
        {
            var run = space.ToDictionary(setting => setting.Key, setting => Draw(setting.Key, setting.Value, random));
            if (drawn.Add(JsonSerializer.Serialize(run))) runs.Add(run);
        }
        return runs;
    }

    private static JsonElement Draw(string name, SearchValues setting, Random random)
    {
        if (setting.Values is { } values) return values[random.Next(values.Count)];
        var (min, max) = (setting.Min!.Value, setting.Max!.Value);
        if (!IsInteger(name)) return JsonSerializer.SerializeToElement(Math.Clamp(Round(Between(min, max)), min, max));
        // The last integer gets a unit of the range as well.
        (min, max) = (Math.Ceiling(min), Math.Floor(max));
        return JsonSerializer.SerializeToElement((int)Math.Min(Math.Floor(Between(min, max + 1)), max));

        double Between(double from, double to) => setting.Log
            ? Math.Exp(Math.Log(from) + random.NextDouble() * (Math.Log(to) - Math.Log(from)))
            : from + random.NextDouble() * (to - from);
    }

    private static double Round(double value)
    {
        if (value == 0) return 0;
        var unit = Math.Pow(10, Math.Floor(Math.Log10(Math.Abs(value))) + 1 - Digits);
        // Divided by the inverse: multiplying by 1e-05 leaves digits such as 0.000123000000001.
        return unit < 1 ? Math.Round(value / unit) / Math.Round(1 / unit) : Math.Round(value / unit) * unit;
    }

    private static Type Type(string setting)
    {
        var type = TrainingSetting.Types[setting];
        return Nullable.GetUnderlyingType(type) ?? type;
    }
}
