using System.Text.RegularExpressions;

namespace FunctionsPipeline.Infra.Tests.Shipping;

/// <summary>Files of the repository that a build of the image sees.</summary>
internal static class BuildContext
{
    /// <summary>Lists the files that <c>.dockerignore</c> leaves, by their paths in the repository.</summary>
    public static IReadOnlyList<string> Files()
    {
        var patterns = File.ReadAllLines(Path.Combine(Repository.Root, ".dockerignore"))
            .Where(line => line.Length > 0 && !line.StartsWith('#')).ToList();
        return [.. Below(new DirectoryInfo(Repository.Root)).Where(file => !IsIgnored(file, patterns)).Order(StringComparer.Ordinal)];
    }

    // The last pattern that fits a path or a folder above it decides.
    private static bool IsIgnored(string file, IReadOnlyList<string> patterns)
    {
        var names = file.Split('/');
        var paths = Enumerable.Range(1, names.Length).Select(count => string.Join('/', names[..count])).ToList();
        var last = patterns.LastOrDefault(pattern => paths.Any(path => Regex.IsMatch(path, ToRegex(pattern.TrimStart('!')))));
        return last is not null && !last.StartsWith('!');
    }

    private static string ToRegex(string pattern) =>
        $"^{Regex.Escape(pattern).Replace(@"\*\*/", "(.*/)?").Replace(@"\*", "[^/]*")}$";

    private static IEnumerable<string> Below(DirectoryInfo folder) => folder.EnumerateFiles()
        .Select(file => Path.GetRelativePath(Repository.Root, file.FullName))
        .Concat(folder.EnumerateDirectories().Where(child => child.Name is not (".git" or ".pipeline")).SelectMany(Below));
}
