namespace FunctionsPipeline.LocalHost.Processes;

/// <summary>Locates the other programs of this repository, as built beside this one.</summary>
public static class Applications
{
    /// <summary>Folder with <c>FunctionsPipeline.sln</c>.</summary>
    public static string RepositoryRoot { get; } = FindRoot();

    /// <summary>Folder for all files that local runs write.</summary>
    public static string StateFolder => Path.Combine(RepositoryRoot, ".pipeline");

    /// <summary>Build output of the pipeline's Functions app.</summary>
    public static string FunctionApp => Output("src/FunctionApp");

    /// <summary>Command line of this program, without arguments.</summary>
    public static IReadOnlyList<string> LocalHost => Command("LocalHost");

    /// <summary>Command line of the GPU worker, without arguments.</summary>
    public static IReadOnlyList<string> GpuWorker => Command("GpuWorker");

    /// <summary>Command line of the sample data program, without arguments.</summary>
    public static IReadOnlyList<string> SampleData => Command("SampleData");

    /// <summary>Path of the Azurite executable: <c>AZURITE</c>, or the one that <c>./pipeline</c> installs.</summary>
    public static string Azurite =>
        Environment.GetEnvironmentVariable("AZURITE") is { Length: > 0 } configured
            ? configured
            : Existing(Path.Combine(StateFolder, "azurite", "node_modules", ".bin", "azurite"), "Azurite");

    /// <summary>Build output of a project, from the same configuration and framework as this program's.</summary>
    /// <param name="folder">Folder of the project in the repository, such as <c>src/FunctionApp</c>.</param>
    public static string Output(string folder)
    {
        // This program runs from …/bin/{configuration}/{framework}/.
        var build = new DirectoryInfo(AppContext.BaseDirectory);
        return Path.Combine(RepositoryRoot, folder, "bin", build.Parent!.Name, build.Name);
    }

    private static IReadOnlyList<string> Command(string project) =>
        ["dotnet", Existing(Path.Combine(Output($"src/{project}"), $"FunctionsPipeline.{project}.dll"), project)];

    private static string Existing(string path, string what) =>
        File.Exists(path) ? path : throw new FileNotFoundException($"{what} is not here: {path}. Run ./pipeline setup first.", path);

    private static string FindRoot()
    {
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            if (File.Exists(Path.Combine(folder.FullName, "FunctionsPipeline.sln"))) return folder.FullName;
        }
        throw new DirectoryNotFoundException(
            $"No FunctionsPipeline.sln above {AppContext.BaseDirectory}: the local host runs from a clone of the repository.");
    }
}
