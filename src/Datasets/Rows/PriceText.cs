using System.Globalization;
using System.Text.RegularExpressions;

namespace FunctionsPipeline.Datasets;

/// <summary>Prices that are written as text, such as <c>12.50</c>, <c>$1,290.00</c> or <c>1290 USD</c>.</summary>
internal static partial class PriceText
{
    /// <summary>The number; null for a blank, NaN for what is none: a comma that does not stand before three digits may be a decimal point or not.</summary>
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
