namespace FunctionsPipeline.Infra.Tests;

/// <summary>Files of the repository.</summary>
internal static class Repository
{
    /// <summary>Folder with <c>FunctionsPipeline.sln</c>.</summary>
    public static string Root { get; } = FindRoot();

    /// <summary>Joins the text of all C# files of a folder and the folders below it.</summary>
    public static string Code(string folder) => string.Join('\n', Directory
        .EnumerateFiles(Path.Combine(Root, folder), "*.cs", SearchOption.AllDirectories)
        .Where(file => !file.Contains("/obj/", StringComparison.Ordinal)).Select(File.ReadAllText));

    private static string FindRoot()
    {
        var folder = new DirectoryInfo(AppContext.BaseDirectory);
        while (!File.Exists(Path.Combine(folder!.FullName, "FunctionsPipeline.sln"))) folder = folder.Parent;
        return folder.FullName;
    }
}
