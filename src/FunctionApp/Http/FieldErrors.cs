using System.Globalization;
using System.Numerics;
using System.Text.Json;
using FunctionsPipeline.Contracts;

namespace FunctionsPipeline.FunctionApp.Http;

/// <summary>Collects the invalid members of a request, each with its error message.</summary>
internal sealed class FieldErrors
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
