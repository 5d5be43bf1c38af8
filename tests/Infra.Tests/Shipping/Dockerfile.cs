using System.Text.RegularExpressions;

namespace FunctionsPipeline.Infra.Tests.Shipping;

/// <summary>A parsed Dockerfile.</summary>
/// <param name="Text">The complete file.</param>
/// <param name="Stages">Instructions from each <c>FROM</c> to the next.</param>
internal sealed partial record Dockerfile(string Text, IReadOnlyList<IReadOnlyList<Instruction>> Stages)
{
    /// <summary>Stage that becomes the image.</summary>
    public IReadOnlyList<Instruction> Image => Stages[^1];

    /// <summary>Reads <c>infra/Dockerfile</c>.</summary>
    public static Dockerfile Read() => Parse(File.ReadAllText(Path.Combine(Repository.Root, "infra", "Dockerfile")));

    /// <summary>Splits a Dockerfile into stages and instructions.</summary>
    public static Dockerfile Parse(string text)
    {
        var lines = Continuation().Replace(string.Join('\n', text.Split('\n').Where(line => !line.TrimStart().StartsWith('#'))), " ");
        List<List<Instruction>> stages = [];
        foreach (var line in lines.Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries))
        {
            var (name, arguments) = line.IndexOf(' ') is >= 0 and var space ? (line[..space], line[space..].Trim()) : (line, "");
            if (name == "FROM") stages.Add([]);
            stages[^1].Add(new(name, arguments));
        }
        return new(text, stages);
    }

    [GeneratedRegex(@"\\\n\s*")]
    private static partial Regex Continuation();
}

/// <summary>An instruction of a Dockerfile, such as <c>COPY</c>.</summary>
internal sealed record Instruction(string Name, string Arguments)
{
    /// <summary>Arguments that are flags, such as <c>--from=build</c>.</summary>
    public IReadOnlyList<string> Flags => [.. Words.Where(word => word.StartsWith("--", StringComparison.Ordinal))];

    /// <summary>Arguments that are no flags.</summary>
    public IReadOnlyList<string> Values => [.. Words.Where(word => !word.StartsWith("--", StringComparison.Ordinal))];

    private string[] Words => Arguments.Split(' ', StringSplitOptions.RemoveEmptyEntries);
}
