using System.Reflection;
using System.Security.Cryptography;
using Microsoft.Net.Http.Headers;

namespace FunctionsPipeline.FunctionApp.Http;

/// <summary>A file of the dashboard in one encoding, as it is sent.</summary>
/// <param name="ETag">Strong ETag, of these very bytes.</param>
/// <param name="Encoding">Value of <c>Content-Encoding</c>; null for the file as it is.</param>
internal sealed record DashboardFile(byte[] Content, string ContentType, EntityTagHeaderValue ETag, string? Encoding);

/// <summary>The files of <c>src/Dashboard</c>, embedded in this assembly together with their compressed forms.</summary>
internal static class DashboardFiles
{
    private const string Folder = "dashboard/";

    // The smaller first: a client's own order of the two is of no use to it.
    private static readonly (string Encoding, string Suffix)[] Encodings = [("br", ".br"), ("gzip", ".gz")];

    private static readonly Dictionary<string, DashboardFile> Files = Read();

    /// <summary>Names of the files, such as <c>index.html</c>, without their compressed forms.</summary>
    public static IEnumerable<string> Names =>
        Files.Keys.Where(name => !Encodings.Any(encoding => name.EndsWith(encoding.Suffix, StringComparison.Ordinal)));

    /// <summary>Finds a file in the smallest form that the client takes; null when there is no such file.</summary>
    /// <param name="acceptEncoding">The header <c>Accept-Encoding</c>.</param>
    public static DashboardFile? Find(string name, IList<StringWithQualityHeaderValue> acceptEncoding) =>
        Names.Contains(name)
            ? Files[name + Encodings.FirstOrDefault(encoding => Accepts(acceptEncoding, encoding.Encoding)).Suffix]
            : null;

    private static bool Accepts(IList<StringWithQualityHeaderValue> accepted, string encoding)
    {
        var match = Of(encoding) ?? Of("*");
        return match is not null && match.Quality is null or > 0;

        StringWithQualityHeaderValue? Of(string word) =>
            accepted.FirstOrDefault(value => value.Value.Equals(word, StringComparison.OrdinalIgnoreCase));
    }

    private static Dictionary<string, DashboardFile> Read()
    {
        var assembly = Assembly.GetExecutingAssembly();
        return assembly.GetManifestResourceNames().Where(name => name.StartsWith(Folder, StringComparison.Ordinal))
            .ToDictionary(name => name[Folder.Length..], name => Read(assembly, name));
    }

    private static DashboardFile Read(Assembly assembly, string resource)
    {
        using var stream = assembly.GetManifestResourceStream(resource)!;
        var content = new byte[stream.Length];
        stream.ReadExactly(content);
        var (encoding, suffix) = Encodings.FirstOrDefault(encoding => resource.EndsWith(encoding.Suffix, StringComparison.Ordinal));
        var name = resource[..^(suffix?.Length ?? 0)];
        var contentType = Path.GetExtension(name) switch
        {
            ".html" => "text/html; charset=utf-8",
            ".js" => "text/javascript; charset=utf-8",
            ".css" => "text/css; charset=utf-8",
            ".svg" => "image/svg+xml",
            var extension => throw new InvalidOperationException($"No type is known for {extension}, the extension of {name}."),
        };
        var tag = Convert.ToHexStringLower(SHA256.HashData(content).AsSpan(0, 16));
        return new DashboardFile(content, contentType, new EntityTagHeaderValue($"\"{tag}\""), encoding);
    }
}
