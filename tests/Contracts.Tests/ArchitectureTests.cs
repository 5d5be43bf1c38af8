using System.Text.RegularExpressions;
using System.Xml.Linq;

namespace FunctionsPipeline.Tests.Contracts;

/// <summary>The house is as docs/architecture.md draws it.</summary>
public sealed partial class ArchitectureTests
{
    // LocalHost also builds the programs that it starts, without a reference to their code.
    private static readonly Dictionary<string, string[]> Allowed = new()
    {
        ["Contracts"] = [],
        ["Images"] = ["Contracts"],
        ["Telemetry"] = ["Contracts"],
        ["Datasets"] = ["Images"],
        ["Phi3Vision"] = ["Images"],
        ["FineTuning"] = ["Phi3Vision"],
        ["FunctionApp"] = ["Datasets", "Telemetry"],
        ["GpuWorker"] = ["FineTuning", "Telemetry"],
        ["LocalHost"] = ["Contracts"],
        ["SampleData"] = ["Contracts"],
    };

    private static string Root { get; } = FindRoot();

    [Fact]
    public void Projects_reference_what_the_house_allows()
    {
        // One in each folder; those below obj are the SDK's.
        var projects = Directory.GetDirectories(Path.Combine(Root, "src"))
            .SelectMany(folder => Directory.GetFiles(folder, "*.csproj")).ToList();
        Assert.Equal(Allowed.Keys.Order(), projects.Select(Path.GetFileNameWithoutExtension).Order());
        foreach (var project in projects)
        {
            var references = XDocument.Load(project).Descendants("ProjectReference")
                .Where(reference => (string?)reference.Attribute("ReferenceOutputAssembly") != "false")
                .Select(reference => Path.GetFileNameWithoutExtension(reference.Attribute("Include")!.Value)).Order();
            Assert.Equal(Allowed[Path.GetFileNameWithoutExtension(project)].Order(), references);
        }
    }

    [Theory]
    [InlineData("README.md")]
    [InlineData("CONTRIBUTING.md")]
    [InlineData("SECURITY.md")]
    [InlineData("docs/architecture.md")]
    [InlineData("docs/decisions.md")]
    [InlineData("docs/telemetry.md")]
    public void Files_that_a_page_names_exist(string page)
    {
        var path = Path.Combine(Root, page);
        var text = File.ReadAllText(path);
        var sources = Directory.EnumerateFiles(Root, "*.cs", SearchOption.AllDirectories)
            .Select(file => Path.GetFileName(file)).ToHashSet();
        Assert.All(SourceFile().Matches(text).Select(match => match.Groups[1].Value), file => Assert.Contains(file, sources));
        foreach (Match link in Link().Matches(text))
        {
            var target = Path.Combine(Path.GetDirectoryName(path)!, link.Groups[1].Value);
            Assert.True(Path.Exists(target), $"{page} links to {link.Groups[1].Value}, which is not there");
        }
    }

    private static string FindRoot()
    {
        var folder = new DirectoryInfo(AppContext.BaseDirectory);
        while (!File.Exists(Path.Combine(folder!.FullName, "FunctionsPipeline.sln"))) folder = folder.Parent;
        return folder.FullName;
    }

    [GeneratedRegex(@"`(\w+\.cs)`")]
    private static partial Regex SourceFile();

    // Not those to other sites.
    [GeneratedRegex(@"\]\((?!https?:)([^)#]+)")]
    private static partial Regex Link();
}
