using System.Text.RegularExpressions;
using System.Xml.Linq;

namespace FunctionsPipeline.Contracts.Tests;

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

    [Fact]
    public void Projects_reference_what_the_house_allows()
    {
        // One in each folder; those below obj are the SDK's.
        var projects = Repository.Files(".csproj", "src");
        Assert.Equal(Allowed.Keys.Order(), projects.Select(Path.GetFileNameWithoutExtension).Order());
        foreach (var project in projects)
        {
            var references = XDocument.Parse(Repository.Read(project)).Descendants("ProjectReference")
                .Where(reference => (string?)reference.Attribute("ReferenceOutputAssembly") != "false")
                .Select(reference => Path.GetFileNameWithoutExtension(reference.Attribute("Include")!.Value)).Order();
            Assert.Equal(Allowed[Path.GetFileNameWithoutExtension(project)].Order(), references);
        }
    }

    [Fact]
    public void Namespaces_follow_folders()
    {
        var wrong = Repository.Files(".cs")
            .Select(file => (File: file, Declared: Namespace().Match(Repository.Read(file)).Groups[1].Value, Expected: NamespaceOf(file)))
            // A program of top-level statements has none.
            .Where(file => file.Declared.Length > 0 && file.Declared != file.Expected)
            .Select(file => $"{file.File}: {file.Declared}, should be {file.Expected}").ToList();
        Assert.True(wrong.Count == 0, string.Join('\n', wrong));
    }

    [Fact]
    public void Every_folder_of_src_whose_name_does_not_tell_its_purpose_has_a_page()
    {
        string[] told = ["Telemetry"];
        var folders = Directory.GetDirectories(Path.Combine(Repository.Root, "src")).Select(folder => Path.GetFileName(folder));
        Assert.All(
            folders.Except(told), folder => Assert.True(File.Exists(Path.Combine(Repository.Root, "src", folder, "README.md")), folder));
    }

    [Fact]
    public void The_page_of_a_folder_of_src_lists_its_folders()
    {
        var listed = Repository.Files("README.md", "src").SelectMany(page => FolderRow().Matches(Repository.Read(page))
            .SelectMany(row => row.Groups[1].Captures.Concat(row.Groups[2].Captures))
            .Select(folder => $"{Path.GetDirectoryName(page)}/{folder.Value}"));
        var there = Repository.Files(".cs", "src").Select(file => Path.GetDirectoryName(file)!)
            .Where(folder => folder.Count(c => c == '/') == 2);
        Assert.Equal(there.Distinct().Order(), listed.Order());
    }

    // src/X/Y/File.cs is FunctionsPipeline.X.Y, tests/X.Tests/Y/File.cs FunctionsPipeline.X.Tests.Y. Files that several test projects
    // compile are in tests or tests/Shared.
    private static string NamespaceOf(string file)
    {
        var folders = file.Split('/')[1..^1];
        return file.StartsWith("tests/", StringComparison.Ordinal) && folders is [] or ["Shared"]
            ? "FunctionsPipeline.Tests"
            : string.Join('.', folders.Prepend("FunctionsPipeline"));
    }

    [GeneratedRegex(@"^namespace ([\w.]+)", RegexOptions.Multiline)]
    private static partial Regex Namespace();

    // A row of a table whose first cell is one folder or several: | `Runs`, `Models` | …
    [GeneratedRegex(@"^\| `(\w+)`(?:, `(\w+)`)* \|", RegexOptions.Multiline)]
    private static partial Regex FolderRow();
}
