using System.Net.Http.Headers;

namespace FunctionsPipeline.Datasets;

/// <summary>
/// The header <c>X-Robots-Tag</c>, by which publishers say what may be done with a file: directives with commas between them, in as many
/// lines as they like, and after <c>name:</c> for the robot of that name only.
/// </summary>
internal static class RobotsTag
{
    private const string Name = "X-Robots-Tag";

    // The directives that img2dataset honours unless told otherwise, and "none", which search engines take for "noindex, nofollow".
    private static readonly HashSet<string> OptOuts =
        new(["noai", "noimageai", "noindex", "noimageindex", "none"], StringComparer.OrdinalIgnoreCase);

    private static readonly HashSet<string> WithValue =
        new(["unavailable_after", "max-snippet", "max-image-preview", "max-video-preview"], StringComparer.OrdinalIgnoreCase);

    /// <summary>The directive by which models must not be trained on a file; null when there is none.</summary>
    /// <param name="headers">Of the answer that the file is in.</param>
    /// <param name="robot">What this program calls itself.</param>
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
