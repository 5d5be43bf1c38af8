using System.Globalization;
using System.Text.RegularExpressions;

namespace FunctionsPipeline.Contracts;

/// <summary>
/// What the model is taught to say about a product: <c>Product: {title}, Category: {category}, Full Price: {price}</c>,
/// with the parts left out that the dataset does not have.
/// </summary>
public sealed partial record Answer(string? Title, string? Category, double? Price)
{
    /// <summary>The answer as text; empty when there is nothing to say.</summary>
    public override string ToString() => string.Join(", ", Parts());

    /// <summary>Reads an answer back. Null when the text has none of the parts, or something else than the parts.</summary>
    public static Answer? Parse(string text)
    {
        var match = Format().Match(text.Trim());
        if (!match.Success || match.Length == 0) return null;
        var price = Value(match, "price");
        return new Answer(Value(match, "title"), Value(match, "category"),
            price is null ? null : double.Parse(price, NumberStyles.Float, CultureInfo.InvariantCulture));
    }

    private IEnumerable<string> Parts()
    {
        if (Title is not null) yield return $"Product: {Title}";
        if (Category is not null) yield return $"Category: {Category}";
        if (Price is { } price) yield return $"Full Price: {price.ToString("0.##", CultureInfo.InvariantCulture)}";
    }

    private static string? Value(Match match, string group) => match.Groups[group] is { Success: true, Value: var value } ? value.Trim() : null;

    [GeneratedRegex(@"^(?:Product: (?<title>.+?))?(?:(?:^|, )Category: (?<category>.+?))?(?:(?:^|, )Full Price: (?<price>[0-9]{1,12}(?:\.[0-9]+)?))?$",
        RegexOptions.CultureInvariant | RegexOptions.Singleline)]
    private static partial Regex Format();
}
