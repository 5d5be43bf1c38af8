using System.Globalization;
using System.Text.RegularExpressions;

namespace FunctionsPipeline.Datasets;

/// <summary>Parses prices written as text, such as <c>12.50</c>, <c>$1,290.00</c> or <c>1290 USD</c>.</summary>
internal static partial class PriceText
{
    /// <summary>
    /// Parses a price; null for a blank text, NaN for a text that is not a price. A comma that is not a thousands separator gives NaN, as
    /// it may or may not be a decimal point.
    /// </summary>
    public static double? Parse(ReadOnlySpan<char> text)
    {
        if (text.IsWhiteSpace()) return null;
        var match = Pattern().Match(text.ToString());
        if (!match.Success) return double.NaN;
        var number = double.Parse(match.Groups["number"].Value, NumberStyles.Float | NumberStyles.AllowThousands, CultureInfo.InvariantCulture);
        return match.Groups["sign"].Value == "-" ? -number : number;
    }

    [GeneratedRegex(
        """
        ^\s* (?<sign>[+-]?) \s* (?: [A-Za-z]{0,3} \p{Sc} | [A-Za-z]{3} )? \s*
        (?<number> (?: \d{1,3} (?:,\d{3})+ | \d+ ) (?: \.\d+ )? (?: [eE][+-]?\d{1,3} )? | \.\d+ )
        \s* (?: \p{Sc} | [A-Za-z]{3} )? \s*$
        """,
        RegexOptions.IgnorePatternWhitespace | RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture)]
    private static partial Regex Pattern();
}
