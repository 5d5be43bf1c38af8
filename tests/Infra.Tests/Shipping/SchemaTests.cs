namespace FunctionsPipeline.Infra.Tests.Shipping;

/// <summary>Files that azd, the Functions host and GitHub read are what their schemas allow.</summary>
public sealed class SchemaTests
{
    [Theory]
    [InlineData("azure.yaml", "azure.yaml.json")]
    [InlineData("src/FunctionApp/host.json", "host.json")]
    [InlineData("src/FunctionApp/local.settings.sample.json", "local.settings.schema.json")]
    [InlineData(".github/workflows/ci.yml", "github-workflow.json")]
    [InlineData(".github/workflows/azure-dev.yml", "github-workflow.json")]
    [InlineData(".github/dependabot.yml", "dependabot-2.0.json")]
    [InlineData(".devcontainer/devcontainer.json", "devcontainer.json")]
    public void A_file_keeps_to_its_schema(string file, string schema) => Assert.Empty(SchemaCheck.Findings(schema, Read(file)));

    [Theory]
    [InlineData("azure.yaml", "azure.yaml.json", "requiredVersions:", "requiredVersion:", "/requiredVersion")]
    [InlineData("azure.yaml", "azure.yaml.json", "    host: function", "    hots: function", "/services/functions/hots")]
    [InlineData("azure.yaml", "azure.yaml.json", "  preprovision:", "  beforeprovision:", "/hooks/beforeprovision")]
    [InlineData("azure.yaml", "azure.yaml.json", "remoteBuild: true", "remoteBuild: perhaps", "/services/train/docker/remoteBuild")]
    [InlineData("src/FunctionApp/host.json", "host.json", "\"2.0\"", "\"3.0\"", "/version")]
    [InlineData("src/FunctionApp/local.settings.sample.json", "local.settings.schema.json", "dotnet-isolated", "dotnett", "/Values")]
    [InlineData(".github/workflows/ci.yml", "github-workflow.json", "    steps:", "    step:", "/jobs/test")]
    [InlineData(".github/dependabot.yml", "dependabot-2.0.json", "docker", "podman", "/updates/0")]
    [InlineData(".devcontainer/devcontainer.json", "devcontainer.json", "[7071,", "[[],", "/forwardPorts")]
    public void A_planted_mistake_is_found(string file, string schema, string right, string wrong, string place)
    {
        var text = Read(file);
        Assert.Contains(right, text, StringComparison.Ordinal);
        var findings = SchemaCheck.Findings(schema, text.Replace(right, wrong, StringComparison.Ordinal));
        Assert.Contains(findings, finding => finding.StartsWith(place, StringComparison.Ordinal));
    }

    [Fact]
    public void Services_and_hooks_of_azure_yaml_are_there()
    {
        var text = Read("azure.yaml");
        var paths = Lines(text, "project: ").Concat(Lines(text, "run: "));
        Assert.All(paths, path => Assert.True(Path.Exists(Path.Combine(Repository.Root, path)), path));
        // Paths of an image begin in the service's folder.
        Assert.All(
            Lines(text, "path: "), path => Assert.True(File.Exists(Path.Combine(Repository.Root, "src", "GpuWorker", path)), path));
    }

    private static IEnumerable<string> Lines(string text, string key) => text.Split('\n').Select(line => line.Trim())
        .Where(line => line.StartsWith(key, StringComparison.Ordinal)).Select(line => line[key.Length..]);

    private static string Read(string file) => File.ReadAllText(Path.Combine(Repository.Root, file));
}
