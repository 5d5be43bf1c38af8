namespace FunctionsPipeline.Infra.Tests.Shipping;

/// <summary>Workflows and shell scripts are what linters ask for.</summary>
public sealed class LintTests
{
    public static TheoryData<string> Workflows =>
        [.. Directory.GetFiles(Path.Combine(Repository.Root, ".github", "workflows")).Select(file => Path.GetFileName(file))];

    [Theory]
    [MemberData(nameof(Workflows))]
    public async Task A_workflow_is_right(string name) => Assert.Empty(await Linters.WorkflowAsync(Workflow(name)));

    [Theory]
    [InlineData("ci.yml", "github.ref", "github.reff", "reff")]
    [InlineData("azure-dev.yml", "secrets.WORKER_KEY", "secret.WORKER_KEY", "undefined variable")]
    public async Task A_planted_mistake_in_a_workflow_is_found(string name, string right, string wrong, string finding)
    {
        var text = Workflow(name);
        Assert.Contains(right, text, StringComparison.Ordinal);
        var findings = await Linters.WorkflowAsync(text.Replace(right, wrong, StringComparison.Ordinal));
        Assert.Contains(findings, found => found.Contains(finding, StringComparison.Ordinal));
    }

    [ShellcheckTheory]
    [InlineData("pipeline")]
    [InlineData(".ci/run")]
    public async Task A_shell_script_is_right(string script) =>
        Assert.Empty(await Linters.ShellAsync(File.ReadAllText(Path.Combine(Repository.Root, script))));

    [ShellcheckFact]
    public async Task A_planted_mistake_in_a_shell_script_is_found()
    {
        var findings = await Linters.ShellAsync("#!/usr/bin/env bash\nrm -r $1/*\n");
        Assert.Contains(findings, finding => finding.Contains("SC2086", StringComparison.Ordinal));
    }

    private static string Workflow(string name) => File.ReadAllText(Path.Combine(Repository.Root, ".github", "workflows", name));
}

/// <summary>A test with shellcheck, which no package feed of the build has; says so where the system lacks it.</summary>
internal sealed class ShellcheckFactAttribute : FactAttribute
{
    public ShellcheckFactAttribute() => Skip = Shellcheck.Missing;
}

/// <summary>A theory with shellcheck.</summary>
internal sealed class ShellcheckTheoryAttribute : TheoryAttribute
{
    public ShellcheckTheoryAttribute() => Skip = Shellcheck.Missing;
}

internal static class Shellcheck
{
    /// <summary>Reason why tests with shellcheck are skipped, or null.</summary>
    public static string? Missing { get; } = Environment.GetEnvironmentVariable("PATH")!.Split(Path.PathSeparator)
        .Any(folder => File.Exists(Path.Combine(folder, "shellcheck")))
            ? null
            : "skipped: shellcheck is not installed (apt-get install shellcheck)";
}
