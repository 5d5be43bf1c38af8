using System.Runtime.InteropServices;
using System.Text;
using System.Text.RegularExpressions;
using System.Xml.Linq;

namespace FunctionsPipeline.Benchmarks;

/// <summary>
/// English sentences that are on every machine with the SDK: its documentation of the base class library, each text once.
/// </summary>
internal static partial class EnglishText
{
    private const int ShortestText = 60;
    private static readonly HashSet<string> Elements = ["summary", "param", "returns", "exception", "remarks"];

    /// <summary>Texts of about a size in all, in parts of at most <paramref name="partLength"/> characters.</summary>
    /// <exception cref="NotMeasuredException">The SDK has no documentation.</exception>
    public static IReadOnlyList<string> Parts(int length, int partLength)
    {
        var parts = new List<string>();
        var part = new StringBuilder();
        var total = 0;
        foreach (var text in Texts())
        {
            if (part.Length + text.Length + 1 > partLength)
            {
                parts.Add(part.ToString());
                total += part.Length;
                part.Clear();
                if (total >= length) break;
            }
            part.Append(text).Append('\n');
        }
        return parts;
    }

    private static IEnumerable<string> Texts() =>
        XDocument.Load(File()).Descendants().Where(element => Elements.Contains(element.Name.LocalName))
            .Select(element => Space().Replace(string.Concat(element.DescendantNodes().Select(Text)), " ").Trim())
            .Where(text => text.Length is >= ShortestText and < 2000).Distinct(StringComparer.Ordinal);

    /// <summary>The text of a node; a reference reads as the name that it refers to.</summary>
    private static string Text(XNode node) => node switch
    {
        XText text => text.Value,
        XElement element when element.Attribute("cref") is { } reference => Name().Match(reference.Value).Value,
        XElement element => element.Attribute("langword")?.Value ?? element.Attribute("name")?.Value ?? "",
        _ => "",
    };

    private static string File()
    {
        var packs = Path.GetFullPath(Path.Combine(
            RuntimeEnvironment.GetRuntimeDirectory(), "..", "..", "..", "packs", "Microsoft.NETCore.App.Ref"));
        var files = Directory.Exists(packs) ? Directory.GetFiles(packs, "System.Runtime.xml", SearchOption.AllDirectories) : [];
        return files.Order(StringComparer.Ordinal).LastOrDefault()
            ?? throw new NotMeasuredException("the English text is the SDK's documentation, and this SDK has none");
    }

    [GeneratedRegex(@"\s+", RegexOptions.CultureInvariant)]
    private static partial Regex Space();

    // T:System.Collections.Generic.List`1 → List; M:System.String.Join(System.String) → Join
    [GeneratedRegex(@"[\w#]+(?=(`\d+)*(\(.*\))?(~.*)?$)", RegexOptions.CultureInvariant)]
    private static partial Regex Name();
}
