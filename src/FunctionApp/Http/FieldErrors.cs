using System.Globalization;
using System.Numerics;
using System.Text.Json;
using FunctionsPipeline.Contracts;

namespace FunctionsPipeline.FunctionApp.Http;

/// <summary>Collects what is wrong with the members of a request.</summary>
internal sealed class FieldErrors
{
    private readonly List<FieldError> _errors = [];

    public IReadOnlyList<FieldError> All => _errors;

    public void Add(string field, string message) => _errors.Add(new FieldError(field, $"{field} {message}."));

    /// <summary>Not blank, not too long, no control characters.</summary>
    public void Text(string field, string? value, int longest = 200)
    {
        if (string.IsNullOrWhiteSpace(value) || value.Length > longest || value.Any(char.IsControl))
            Add(field, $"must be a text of 1 to {longest} characters, not blank and without control characters");
    }

    public void AtLeast(string field, int? value, int least)
    {
        if (value < least) Add(field, $"is {value}, must be at least {least}");
    }

    /// <summary>Both ends allowed.</summary>
    public void From<T>(string field, T value, T from, T to)
        where T : INumber<T>
    {
        if (!(value >= from && value <= to)) Add(field, Text($"is {value}, must be from {from} to {to}"));
    }

    /// <summary>The lower end not allowed, the upper end allowed.</summary>
    public void Above(string field, double value, double above, double to)
    {
        if (!(value > above && value <= to)) Add(field, Text($"is {value}, must be above {above} and at most {to}"));
    }

    /// <summary>Neither end allowed.</summary>
    public void Between(string field, double value, double above, double below)
    {
        if (!(value > above && value < below)) Add(field, Text($"is {value}, must be above {above} and below {below}"));
    }

    /// <summary>One of an enum's words; JSON may have given a number.</summary>
    public void Word<T>(string field, T value)
        where T : struct, Enum
    {
        if (!Enum.IsDefined(value))
            Add(field, $"must be one of {string.Join(", ", Enum.GetNames<T>().Select(JsonNamingPolicy.CamelCase.ConvertName))}");
    }

    private static string Text(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
