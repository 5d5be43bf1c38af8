using System.Globalization;
using System.Text.RegularExpressions;

namespace FunctionsPipeline.Contracts;

/// <summary>Title, category and price of a product; a field that is unknown is null.</summary>
public sealed record Answer(string? Title, string? Category, double? Price)
{
    private static readonly AnswerTemplate Standard = new(AnswerTemplate.Default);

    /// <summary>Formats the answer by the default template; empty when all fields are null.</summary>
    public override string ToString() => Standard.Write(this);
}

/// <summary>
/// Formats and parses answers: parts separated by commas, each with exactly one of the placeholders <c>{title}</c>, <c>{category}</c> and
/// <c>{price}</c>. A part whose field is missing is left out.
/// </summary>
public sealed partial class AnswerTemplate
{
    /// <summary>Template of the published fine-tuning recipe.</summary>
    public const string Default = "Product: {title}, Category: {category}, Full Price: {price}";

    private const string Separator = ", ";

    private readonly IReadOnlyList<(string Before, string Field, string After)> _parts;
    private readonly Regex _format;

    /// <exception cref="FormatException">The template is invalid; the message gives the reason.</exception>
    public AnswerTemplate(string template)
    {
        _parts = [.. template.Split(Separator).Select(Part)];
        if (_parts.Select(part => part.Field).Distinct().Count() < _parts.Count) throw new FormatException("names a field more than once");
        // Every part may be missing. A later part follows the separator, or begins the text when all parts before it are missing.
        var optional = _parts.Select((part, i) => $"(?:{(i == 0 ? "" : $"(?:^|{Regex.Escape(Separator)})")}{Pattern(part)})?");
        // Singleline: '.' also matches a newline in a title. Generated text may be anything: without backtracking, time is linear in it.
        _format = new Regex(
            $"^{string.Concat(optional)}$", RegexOptions.CultureInvariant | RegexOptions.Singleline | RegexOptions.NonBacktracking);
    }

    /// <summary>Formats an answer; empty when all its fields are null.</summary>
    public string Write(Answer answer) =>
        string.Join(Separator, _parts.Select(part => (part, Value: Value(answer, part.Field))).Where(p => p.Value is not null)
            .Select(p => p.part.Before + p.Value + p.part.After));

    /// <summary>Parses an answer; null when the text has no part of the template, or text outside the parts.</summary>
    public Answer? Read(string text)
    {
        var match = _format.Match(text.Trim());
        if (!match.Success || match.Length == 0) return null;
        string? Found(string field) => match.Groups[field] is { Success: true, Value: var value } ? value.Trim() : null;
        var price = Found("price");
        return new Answer(Found("title"), Found("category"),
            price is null ? null : double.Parse(price, NumberStyles.Float, CultureInfo.InvariantCulture));
    }

    private static string? Value(Answer answer, string field) => field switch
    {
        "title" => answer.Title,
        "category" => answer.Category,
        _ => answer.Price?.ToString("0.##", CultureInfo.InvariantCulture),
    };

    private static (string Before, string Field, string After) Part(string part)
    {
        var fields = Placeholder().Matches(part);
        if (fields.Count != 1)
            throw new FormatException($"must have one field in each of its parts between commas, but '{part}' has {fields.Count}");
        var field = fields[0].Groups["field"].Value;
        if (field is not ("title" or "category" or "price"))
            throw new FormatException($"names the field '{field}'; there are title, category and price");
        return (part[..fields[0].Index], field, part[(fields[0].Index + fields[0].Length)..]);
    }

    private static string Pattern((string Before, string Field, string After) part)
    {
        // Texts are lazy: a part ends at the first place where the next one can begin.
        var value = part.Field == "price" ? "[0-9]{1,12}(?:\\.[0-9]+)?" : ".+?";
        return $"{Regex.Escape(part.Before)}(?<{part.Field}>{value}){Regex.Escape(part.After)}";
    }

    [GeneratedRegex(@"\{(?<field>[^{}]*)\}", RegexOptions.CultureInvariant)]
    private static partial Regex Placeholder();
}
