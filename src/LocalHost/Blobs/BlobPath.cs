using System.Text;
using System.Text.RegularExpressions;

namespace FunctionsPipeline.LocalHost.Blobs;

/// <summary>The path of a blob trigger: <c>container/prefix{name}.{extension}</c>. A name matches any characters, slashes too.</summary>
internal sealed class BlobPath
{
    private readonly Regex _pattern;

    private BlobPath(string container, string prefix, Regex pattern)
    {
        Container = container;
        Prefix = prefix;
        _pattern = pattern;
    }

    public string Container { get; }

    /// <summary>What comes before the first name; the service lists only blobs that begin with it.</summary>
    public string Prefix { get; }

    /// <exception cref="FormatException">There is no container, or braces do not match.</exception>
    public static BlobPath Parse(string path)
    {
        var slash = path.IndexOf('/', StringComparison.Ordinal);
        var container = slash < 0 ? path : path[..slash];
        if (container.Length == 0 || container.Contains('{', StringComparison.Ordinal))
            throw new FormatException($"'{path}' must begin with the name of a container.");
        var rest = slash < 0 ? "{name}" : path[(slash + 1)..];
        var pattern = new StringBuilder("^");
        var end = 0;
        foreach (Match name in Regex.Matches(rest, @"\{([A-Za-z_][A-Za-z0-9_]*)\}"))
        {
            pattern.Append(Literal(rest[end..name.Index], path)).Append($"(?<{name.Groups[1].Value}>.+)");
            end = name.Index + name.Length;
        }
        pattern.Append(Literal(rest[end..], path)).Append('$');
        var brace = rest.IndexOf('{', StringComparison.Ordinal);
        return new BlobPath(container, brace < 0 ? rest : rest[..brace],
            new Regex(pattern.ToString(), RegexOptions.CultureInvariant | RegexOptions.Singleline | RegexOptions.ExplicitCapture));
    }

    /// <summary>The names' values; null when the blob is not meant.</summary>
    public IReadOnlyDictionary<string, object?>? Match(string blob)
    {
        var match = _pattern.Match(blob);
        return match.Success
            ? _pattern.GetGroupNames().Where(n => n != "0")
                .ToDictionary(n => n, n => (object?)match.Groups[n].Value, StringComparer.OrdinalIgnoreCase)
            : null;
    }

    private static string Literal(string text, string path) => text.AsSpan().ContainsAny('{', '}')
        ? throw new FormatException($"'{path}' has a brace that belongs to no {{name}}.")
        : Regex.Escape(text);
}
