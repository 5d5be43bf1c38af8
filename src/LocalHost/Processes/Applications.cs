namespace FunctionsPipeline.LocalHost.Processes;

/// <summary>Where the other programs of this repository are, as built beside this one.</summary>
public static class Applications
{
    /// <summary>The folder with <c>FunctionsPipeline.sln</c>.</summary>
    public static string RepositoryRoot { get; } = FindRoot();

    /// <summary>Everything that is written while running locally.</summary>
    public static string StateFolder => Path.Combine(RepositoryRoot, ".pipeline");

    /// <summary>The build output of the pipeline's Functions app.</summary>
    public static string FunctionApp => Output("FunctionApp");

    /// <summary>The command line of this program, without its arguments.</summary>
    public static IReadOnlyList<string> LocalHost => Command("LocalHost");

    /// <summary>The GPU worker's command line, without its arguments.</summary>
    public static IReadOnlyList<string> GpuWorker => Command("GpuWorker");

    /// <summary>The sample data program's command line, without its arguments.</summary>
    public static IReadOnlyList<string> SampleData => Command("SampleData");

    /// <summary>The Azurite executable: <c>AZURITE</c>, or the one that <c>./pipeline</c> installs.</summary>
    public static string Azurite =>
        Environment.GetEnvironmentVariable("AZURITE") is { Length: > 0 } configured
            ? configured
            : Existing(Path.Combine(StateFolder, "azurite", "node_modules", ".bin", "azurite"), "Azurite");

    private static IReadOnlyList<string> Command(string project) =>
        ["dotnet", Existing(Path.Combine(Output(project), $"FunctionsPipeline.{project}.dll"), project)];

    // …/bin/{configuration}/{framework}/ of this program names the build of the others.
    private static string Output(string project)
    {
        var build = new DirectoryInfo(AppContext.BaseDirectory);
        return Path.Combine(RepositoryRoot, "src", project, "bin", build.Parent!.Name, build.Name);
    }

    private static string Existing(string path, string what) =>
        File.Exists(path) ? path : throw new FileNotFoundException($"{what} is not here: {path}. Run ./pipeline setup first.", path);

    private static string FindRoot()
    {
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            if (File.Exists(Path.Combine(folder.FullName, "FunctionsPipeline.sln"))) return folder.FullName;
        }
        throw new DirectoryNotFoundException($"No FunctionsPipeline.sln above {AppContext.BaseDirectory}: the local host runs from a clone of the repository.");
    }
}
