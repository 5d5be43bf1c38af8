using System.Text.RegularExpressions;

namespace FunctionsPipeline.Contracts.Tests;

/// <summary>Files are written as CONTRIBUTING.md asks for.</summary>
public sealed partial class StyleTests
{
    private const int LongestLine = 140;

    [Fact]
    public void Lines_of_code_end_at_140_columns()
    {
        string[] extensions = [".cs", ".ts", ".tsx", ".css"];
        var lines = extensions.SelectMany(extension => Repository.Files(extension)).SelectMany(Lines);
        AssertNone(lines.Where(line => line.Text.Length > LongestLine).Select(line => line.Place));
    }

    [Fact]
    public void Lines_of_pages_end_at_140_columns()
    {
        // ./pipeline bench writes these.
        var pages = Repository.Files(".md").Where(page => !page.StartsWith("tests/Benchmarks/results", StringComparison.Ordinal));
        var lines = pages.SelectMany(Prose).Where(line => Target().Replace(line.Text, "").Length > LongestLine);
        AssertNone(lines.Select(line => line.Place));
    }

    [Fact]
    public void Summaries_begin_with_a_verb_or_a_noun() => AssertNone(Riddles("src"));

    [Fact]
    public void Summaries_of_tests_begin_with_a_verb_or_a_noun() => AssertNone(Riddles("tests"));

    private static IEnumerable<string> Riddles(string folder) => Repository.Files(".cs", folder)
        .SelectMany(file => Riddle().Matches(Repository.Read(file)).Select(match => $"{file}: {match.Groups[1].Value} …"));

    private static IEnumerable<(string Text, string Place)> Lines(string file) =>
        Repository.Read(file).Split('\n').Select((line, i) => (line.TrimEnd('\r'), $"{file}:{i + 1}"));

    // Without tables, which cannot be broken, and blocks of code, which are shown as they are.
    private static IEnumerable<(string Text, string Place)> Prose(string page)
    {
        var isCode = false;
        foreach (var line in Lines(page))
        {
            if (line.Text.TrimStart().StartsWith("```", StringComparison.Ordinal)) isCode = !isCode;
            else if (!isCode && !line.Text.StartsWith('|')) yield return line;
        }
    }

    private static void AssertNone(IEnumerable<string> places)
    {
        var all = places.ToList();
        Assert.True(all.Count == 0, $"{all.Count} places:\n{string.Join('\n', all)}");
    }

    [GeneratedRegex(@"<summary>[\s/]*(What|Whether|How)\b")]
    private static partial Regex Riddle();

    // A link's target or a URL cannot be broken either.
    [GeneratedRegex(@"\]\([^)]*\)|https?://\S+")]
    private static partial Regex Target();
}
