namespace FunctionsPipeline.Tests.StandIns.Conformance;

/// <summary>The public surface of a published assembly, a member a line; the first line names it.</summary>
internal sealed class ApiList
{
    private readonly HashSet<string> lines;
    private readonly Dictionary<string, string> properties = [];

    private ApiList(string path)
    {
        lines = [.. File.ReadLines(path)];
        foreach (var line in lines.Where(line => line.StartsWith("P:", StringComparison.Ordinal)))
            properties[WithoutAccessors(line)] = line;
    }

    /// <summary>The lists in a folder, by assembly name.</summary>
    public static IReadOnlyDictionary<string, ApiList> ReadAll(string folder) => Directory.GetFiles(folder, "*.api.txt")
        .ToDictionary(path => Path.GetFileName(path)[..^".api.txt".Length], path => new ApiList(path));

    /// <summary>Whether the package has the member; of a property it may have more accessors.</summary>
    public bool Has(string member) => lines.Contains(member)
        // A line of a question mark stands for all members of which the list's maker could not resolve a type, which is this one.
        || (lines.Contains("?") && member.Contains("System.Collections.Generic.IAsyncEnum", StringComparison.Ordinal))
        || (member.StartsWith("P:", StringComparison.Ordinal)
            && properties.TryGetValue(WithoutAccessors(member), out var listed)
            && (listed.Contains("get;", StringComparison.Ordinal) || !member.Contains("get;", StringComparison.Ordinal))
            && (listed.Contains("set;", StringComparison.Ordinal) || !member.Contains("set;", StringComparison.Ordinal)));

    /// <summary>Some of what the list has under the same name, to compare with.</summary>
    public IEnumerable<string> Like(string member) => lines.Where(line => Name(line) == Name(member)).Take(4);

    private static string Name(string member)
    {
        var end = member[0] switch
        {
            'M' => member.IndexOf('(', StringComparison.Ordinal),
            'T' => member.IndexOf(" :", StringComparison.Ordinal),
            _ => member.IndexOf(" ->", StringComparison.Ordinal),
        };
        return end < 0 ? member : member[..end];
    }

    private static string WithoutAccessors(string property) => property[..property.IndexOf(" {", StringComparison.Ordinal)];
}
