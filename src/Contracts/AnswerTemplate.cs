using System.Globalization;
using System.Text.RegularExpressions;

namespace FunctionsPipeline.Contracts;

/// <summary>The fields of a product in an answer; a field that is unknown is null.</summary>
public sealed record Answer(string? Title, string? Category, double? Price) : ILabels
{
    private static readonly AnswerTemplate Standard = new(AnswerTemplate.Default);

    public FieldValues? Fields { get; init; }

    /// <summary>Creates an answer from the values of fields by name.</summary>
    public static Answer Of(IEnumerable<KeyValuePair<string, FieldValue>> values)
    {
        var all = new FieldValues(values);
        return new Answer(
            all.GetValueOrDefault(FieldDefinition.Title)?.Text, all.GetValueOrDefault(FieldDefinition.Category)?.Text,
            all.GetValueOrDefault(FieldDefinition.Price)?.Number)
        {
            Fields = FieldValues.Of(all.ExceptBy(FieldDefinition.Defaults.Select(field => field.Name), value => value.Key)!),
        };
    }

    /// <summary>Formats the answer by the default template; empty when all fields are null.</summary>
    public override string ToString() => Standard.Write(this);
}

/// <summary>
/// Formats and parses answers: parts separated by commas, each with exactly one placeholder such as <c>{title}</c>, the name of a field. A
/// part whose field is missing is left out.
/// </summary>
public sealed partial class AnswerTemplate
{
    /// <summary>Template of the published fine-tuning recipe.</summary>
    public const string Default = "Product: {title}, Category: {category}, Full Price: {price}";

    /// <summary>Text between two parts.</summary>
    public const string Separator = ", ";

    private const int TokensOfDefaults = 64;
    private const int TokensOfField = 16;

    private readonly Regex _format;

    /// <param name="fields">Fields that the template may name; title, category and price when left out.</param>
    /// <exception cref="FormatException">The template is invalid; the message gives the reason.</exception>
    public AnswerTemplate(string template, IReadOnlyList<FieldDefinition>? fields = null)
    {
        Parts = [.. template.Trim().Split(Separator).Select(part => Part(part, fields ?? FieldDefinition.Defaults))];
        if (Parts.Select(part => part.Field).Distinct().Count() < Parts.Count) throw new FormatException("names a field more than once");
        // Every part may be missing. A later part follows the separator, or begins the text when all parts before it are missing.
        var optional = Parts.Select((part, i) => $"(?:{(i == 0 ? "" : $"(?:^|{Regex.Escape(Separator)})")}{Pattern(part)})?");
        // Singleline: '.' also matches a newline in a title. Generated text may be anything: without backtracking, time is linear in it.
        _format = new Regex(
            $"^{string.Concat(optional)}$", RegexOptions.CultureInvariant | RegexOptions.Singleline | RegexOptions.NonBacktracking);
    }

    /// <summary>Returns the default template followed by a part for each further field, such as <c>, Brand: {brand}</c>.</summary>
    public static string DefaultFor(IEnumerable<FieldDefinition> further) => string.Join(Separator,
        [Default, .. further.Select(field => $"{char.ToUpperInvariant(field.Name[0])}{field.Name[1..]}: {{{field.Name}}}")]);

    /// <summary>The parts in order, of which an answer may miss some.</summary>
    public IReadOnlyList<AnswerPart> Parts { get; }

    /// <summary>
    /// Number of tokens that answers may take when a request does not say it: room for a long title with category and price, and for a
    /// name and a short value of each further field.
    /// </summary>
    public int MaxTokens =>
        TokensOfDefaults + (TokensOfField * Parts.Count(part => !FieldDefinition.Defaults.Contains(part.Field)));

    /// <summary>Formats an answer; empty when all its fields are null.</summary>
    public string Write(Answer answer) =>
        string.Join(Separator, Parts.Select(part => (part, Value: Text(answer, part.Field))).Where(p => p.Value is not null)
            .Select(p => p.part.Before + p.Value + p.part.After));

    /// <summary>Parses an answer; null when the text has no part of the template, or text outside the parts.</summary>
    public Answer? Read(string text)
    {
        var fields = Find(text);
        if (fields.Count == 0) return null;
        return Answer.Of(Parts.Where(part => fields.ContainsKey(part.Field.Name))
            .Select(part => KeyValuePair.Create(part.Field.Name, Value(part.Field.Kind, text[fields[part.Field.Name]]))));
    }

    /// <summary>
    /// Returns the first field that <see cref="Read"/> gives another value than an answer was written with, as a text of the answer holds
    /// the label of a later part, or a number has too many digits; null when the answer is read as it was written.
    /// </summary>
    public FieldDefinition? Misread(Answer answer)
    {
        var read = Read(Write(answer));
        return Parts.Select(part => part.Field)
            .FirstOrDefault(field => Text(answer, field)?.Trim() != (read is null ? null : Text(read, field)));
    }

    /// <summary>Finds the values of an answer's fields, without surrounding white space.</summary>
    /// <returns>The place of each value in the text, by field; empty when <see cref="Read"/> gives null.</returns>
    public IReadOnlyDictionary<string, Range> Find(string text)
    {
        var trimmed = text.Trim();
        var before = text.Length - text.TrimStart().Length;
        var match = _format.Match(trimmed);
        return Parts.Select(part => match.Groups[part.Field.Name]).Where(group => group.Success).ToDictionary(group => group.Name, group =>
        {
            var start = before + group.Index + group.Length - group.Value.TrimStart().Length;
            return start..(start + group.Value.Trim().Length);
        });
    }

    private static string? Text(Answer answer, FieldDefinition field) => field.Name == FieldDefinition.Price
        ? answer.Price?.ToString("0.##", CultureInfo.InvariantCulture)
        : answer.ValueOf(field.Name)?.ToString();

    private static FieldValue Value(FieldKind kind, string text) => kind switch
    {
        FieldKind.Number => new FieldValue(double.Parse(text, NumberStyles.Float, CultureInfo.InvariantCulture)),
        FieldKind.List => new FieldValue(text.Split(
            FieldValue.ItemSeparator[0], StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries)),
        _ => new FieldValue(text),
    };

    private static AnswerPart Part(string part, IReadOnlyList<FieldDefinition> known)
    {
        var fields = Placeholder().Matches(part);
        if (fields.Count != 1)
            throw new FormatException($"must have one field in each of its parts between commas, but '{part}' has {fields.Count}");
        var name = fields[0].Groups["field"].Value;
        var field = known.FirstOrDefault(field => field.Name == name)
            ?? throw new FormatException($"names the field '{name}'; there are {string.Join(", ", known.Select(field => field.Name))}");
        var unit = field.Unit is null ? "" : $" {field.Unit}";
        return new AnswerPart(part[..fields[0].Index], field, unit + part[(fields[0].Index + fields[0].Length)..]);
    }

    private static string Pattern(AnswerPart part)
    {
        // Texts are lazy: a part ends at the first place where the next one can begin.
        var value = part.Field.Kind == FieldKind.Number ? "[0-9]{1,12}(?:\\.[0-9]+)?" : ".+?";
        return $"{Regex.Escape(part.Before)}(?<{part.Field.Name}>{value}){Regex.Escape(part.After)}";
    }

    [GeneratedRegex(@"\{(?<field>[^{}]*)\}", RegexOptions.CultureInvariant)]
    private static partial Regex Placeholder();
}

/// <summary>Part of an answer template: a field and the text around it, the field's unit included.</summary>
public readonly record struct AnswerPart(string Before, FieldDefinition Field, string After);
