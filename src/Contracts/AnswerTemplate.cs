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

    /// <summary>Text between two parts.</summary>
    public const string Separator = ", ";

    private readonly Regex _format;

    /// <exception cref="FormatException">The template is invalid; the message gives the reason.</exception>
    public AnswerTemplate(string template)
    {
        Parts = [.. template.Split(Separator).Select(Part)];
        if (Parts.Select(part => part.Field).Distinct().Count() < Parts.Count) throw new FormatException("names a field more than once");
        // Every part may be missing. A later part follows the separator, or begins the text when all parts before it are missing.
        var optional = Parts.Select((part, i) => $"(?:{(i == 0 ? "" : $"(?:^|{Regex.Escape(Separator)})")}{Pattern(part)})?");
        // Singleline: '.' also matches a newline in a title. Generated text may be anything: without backtracking, time is linear in it.
        _format = new Regex(
            $"^{string.Concat(optional)}$", RegexOptions.CultureInvariant | RegexOptions.Singleline | RegexOptions.NonBacktracking);
    }

    /// <summary>The parts in order, of which an answer may miss some.</summary>
    public IReadOnlyList<AnswerPart> Parts { get; }

    /// <summary>Formats an answer; empty when all its fields are null.</summary>
    public string Write(Answer answer) =>
        string.Join(Separator, Parts.Select(part => (part, Value: Value(answer, part.Field))).Where(p => p.Value is not null)
            .Select(p => p.part.Before + p.Value + p.part.After));

    /// <summary>Parses an answer; null when the text has no part of the template, or text outside the parts.</summary>
    public Answer? Read(string text)
    {
        var fields = Find(text);
        if (fields.Count == 0) return null;
        string? Found(string field) => fields.TryGetValue(field, out var range) ? text[range] : null;
        return new Answer(Found("title"), Found("category"),
            Found("price") is { } price ? double.Parse(price, NumberStyles.Float, CultureInfo.InvariantCulture) : null);
    }

    /// <summary>Finds the values of an answer's fields, without surrounding white space.</summary>
    /// <returns>The place of each value in the text, by field; empty when <see cref="Read"/> gives null.</returns>
    public IReadOnlyDictionary<string, Range> Find(string text)
    {
        var trimmed = text.Trim();
        var before = text.Length - text.TrimStart().Length;
        var match = _format.Match(trimmed);
        return Parts.Select(part => match.Groups[part.Field]).Where(group => group.Success).ToDictionary(group => group.Name, group =>
        {
            var start = before + group.Index + group.Length - group.Value.TrimStart().Length;
            return start..(start + group.Value.Trim().Length);
        });
    }

    private static string? Value(Answer answer, string field) => field switch
    {
        "title" => answer.Title,
        "category" => answer.Category,
        _ => answer.Price?.ToString("0.##", CultureInfo.InvariantCulture),
    };

    private static AnswerPart Part(string part)
    {
        var fields = Placeholder().Matches(part);
        if (fields.Count != 1)
            throw new FormatException($"must have one field in each of its parts between commas, but '{part}' has {fields.Count}");
        var field = fields[0].Groups["field"].Value;
        if (field is not ("title" or "category" or "price"))
            throw new FormatException($"names the field '{field}'; there are title, category and price");
        return new AnswerPart(part[..fields[0].Index], field, part[(fields[0].Index + fields[0].Length)..]);
    }

    private static string Pattern(AnswerPart part)
    {
        // Texts are lazy: a part ends at the first place where the next one can begin.
        var value = part.Field == "price" ? "[0-9]{1,12}(?:\\.[0-9]+)?" : ".+?";
        return $"{Regex.Escape(part.Before)}(?<{part.Field}>{value}){Regex.Escape(part.After)}";
    }

    [GeneratedRegex(@"\{(?<field>[^{}]*)\}", RegexOptions.CultureInvariant)]
    private static partial Regex Placeholder();
}

/// <summary>Part of an answer template: the text around a field, <c>title</c>, <c>category</c> or <c>price</c>.</summary>
public readonly record struct AnswerPart(string Before, string Field, string After);
