using System.Net.Http.Headers;

namespace FunctionsPipeline.Datasets;

/// <summary>
/// Parses the header <c>X-Robots-Tag</c>, in which publishers restrict the use of a file: comma-separated directives on any number of
/// header lines; directives after <c>name:</c> apply to the robot of that name only.
/// </summary>
internal static class RobotsTag
{
    private const string Name = "X-Robots-Tag";

    // The directives that img2dataset honours by default, and "none", which search engines treat as "noindex, nofollow".
    private static readonly HashSet<string> OptOuts =
        new(["noai", "noimageai", "noindex", "noimageindex", "none"], StringComparer.OrdinalIgnoreCase);

    private static readonly HashSet<string> WithValue =
        new(["unavailable_after", "max-snippet", "max-image-preview", "max-video-preview"], StringComparer.OrdinalIgnoreCase);

    /// <summary>Finds the directive that opts a file out of model training; null when there is none.</summary>
    /// <param name="headers">Headers of the response with the file.</param>
    /// <param name="robot">Name of this program in the header's rules.</param>
    public static string? OptOut(HttpResponseHeaders headers, string robot) =>
        headers.TryGetValues(Name, out var lines)
            ? lines.Select(line => OptOut(line, robot)).FirstOrDefault(directive => directive is not null)
            : null;

    private static string? OptOut(string line, string robot)
    {
        var isForUs = true;
        foreach (var part in line.Split(',', StringSplitOptions.TrimEntries))
        {
            var directive = part;
            if (part.IndexOf(':') is >= 0 and var colon && part[..colon].TrimEnd() is var name && !WithValue.Contains(name))
            {
                isForUs = name == "*" || name.Equals(robot, StringComparison.OrdinalIgnoreCase);
                directive = part[(colon + 1)..].TrimStart();
            }
            if (isForUs && OptOuts.Contains(directive)) return directive;
        }
        return null;
    }
}
