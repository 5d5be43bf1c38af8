using System.Text.Json;
using System.Text.RegularExpressions;

namespace FunctionsPipeline.Datasets.Sources;

/// <summary>
/// Finds the images that a cell of a table refers to: one path or URL, or several as tools write them, separated, in brackets, or as a JSON
/// array. A cell is divided only where each piece is a reference, as paths and URLs may have separators in them.
/// </summary>
internal static partial class ImageReferences
{
    private static readonly char[] Separators = ['|', ';', ',', '\r', '\n'];
    private static readonly char[] AroundPieces = [.. Separators, ' ', '\t', '\'', '"'];

    /// <summary>
    /// Returns the references of a cell, none for an empty list; null when the cell is something else, such as a title.
    /// </summary>
    public static IReadOnlyList<string>? Of(string cell)
    {
        var text = cell.Trim();
        if (IsBracketed(text))
        {
            if (JsonItems(text) is { } items) return items.All(Is) ? items : null;
            // Lists of Python and DuckDB: ['a.jpg', 'b.jpg'] and [a.jpg, b.jpg].
            text = text[1..^1];
        }
        text = text.Trim(AroundPieces);
        // The last piece is a reference too.
        if (!StartsWithUrl().IsMatch(text) && !DatasetForm.IsImage(text)) return null;
        string[][] divisions = StartsWithUrl().IsMatch(text) ? [UrlsOf(text)]
            : [PiecesOf(text), text.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries)];
        return divisions.FirstOrDefault(pieces => pieces.Length > 1 && pieces.All(Is)) ?? (Is(text) ? [text] : null);
    }

    /// <summary>True when a cell is written as a list.</summary>
    public static bool IsList(string cell, IReadOnlyList<string> references) => references.Count > 1 || IsBracketed(cell.Trim());

    /// <summary>True when a text is a path that ends as images do, or a URL.</summary>
    private static bool Is(string text) => StartsWithUrl().IsMatch(text)
        ? !text.Any(char.IsWhiteSpace)
        : DatasetForm.IsImage(text) && !text.Contains("://", StringComparison.Ordinal);

    private static bool IsBracketed(string text) => text is ['[', .., ']'];

    private static List<string>? JsonItems(string text)
    {
        if (text.AsSpan(1).TrimStart() is not ['"' or ']', ..]) return null;
        try
        {
            return [.. JsonSerializer.Deserialize<string?[]>(text)!.OfType<string>()];
        }
        catch (JsonException)
        {
            return null;
        }
    }

    private static string[] PiecesOf(string text) =>
        [.. text.Split(Separators).Select(piece => piece.Trim(AroundPieces)).Where(piece => piece.Length > 0)];

    // A URL may have a semicolon or a comma in it: only one before another URL separates.
    private static string[] UrlsOf(string text)
    {
        List<int> starts = [0, .. NextUrl().Matches(text).Select(match => match.Index), text.Length];
        return [.. starts.Zip(starts.Skip(1)).Select(piece => text[piece.First..piece.Second].TrimEnd(AroundPieces))];
    }

    [GeneratedRegex("^(?:https?|azureml)://", RegexOptions.IgnoreCase | RegexOptions.CultureInvariant)]
    private static partial Regex StartsWithUrl();

    [GeneratedRegex("(?<=[|;,\\s'\"])(?:https?|azureml)://", RegexOptions.IgnoreCase | RegexOptions.CultureInvariant)]
    private static partial Regex NextUrl();
}
