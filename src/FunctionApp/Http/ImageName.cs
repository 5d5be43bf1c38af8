using FunctionsPipeline.Contracts;

namespace FunctionsPipeline.FunctionApp.Http;

/// <summary>Names of uploaded images in the URLs of the API.</summary>
internal static class ImageName
{
    // Limits of Azure Storage: 1,024 characters, five of which the name of the image's document adds, and 254 segments.
    private const int Longest = 1024 - 5;
    private const int MostSegments = 254;

    private const string CorrectionSuffix = "/correction";

    /// <summary>Reads the name from a route that ends with it.</summary>
    /// <param name="route">The route's last parameter, <c>{*name}</c>.</param>
    /// <exception cref="RequestException">It is no name for an image.</exception>
    public static string Read(string? route)
    {
        var name = Decode(route ?? "");
        var segments = name.Split('/');
        var mistake = name switch
        {
            "" => "is missing",
            { Length: > Longest } => $"has {name.Length} characters, must have at most {Longest}",
            _ when name.Any(char.IsControl) => "has control characters",
            _ when name.Contains('\\', StringComparison.Ordinal) => "has a backslash; folders end with '/'",
            _ when segments.Length > MostSegments => $"has {segments.Length} parts between slashes, must have at most {MostSegments}",
            _ when segments.Any(segment => segment is "" or "." or "..") =>
                "must not begin or end with '/', nor have the parts '', '.' or '..'",
            _ => null,
        };
        return mistake is null ? name : throw new RequestException("name", 400, $"The image's name {mistake}.");
    }

    /// <summary>Decodes slashes, which the host's router leaves as they are.</summary>
    public static string Decode(string route) => route.Replace("%2F", "/", StringComparison.OrdinalIgnoreCase);

    /// <summary>True for a route that ends with a name and <c>/correction</c>.</summary>
    public static bool IsOfCorrection(string route) => route.EndsWith(CorrectionSuffix, StringComparison.Ordinal);

    /// <summary>Reads the name from a route that ends with the name and <c>/correction</c>; null when it ends otherwise.</summary>
    /// <inheritdoc cref="Read"/>
    public static string? ReadCorrection(string? route) =>
        route is not null && IsOfCorrection(route) ? Read(route[..^CorrectionSuffix.Length]) : null;

    /// <summary>Encodes a name for a URL.</summary>
    public static string ToPath(string name) => string.Join('/', name.Split('/').Select(Uri.EscapeDataString));
}
