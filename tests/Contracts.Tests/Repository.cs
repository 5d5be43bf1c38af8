namespace FunctionsPipeline.Contracts.Tests;

/// <summary>Files of the repository, apart from those that builds and local runs write.</summary>
internal static class Repository
{
    private static readonly string[] Written = ["bin", "obj", ".git", ".pipeline", "node_modules", "TestResults"];

    /// <summary>Folder with <c>FunctionsPipeline.sln</c>.</summary>
    public static string Root { get; } = FindRoot();

    /// <summary>Reads a file, by its path in the repository.</summary>
    public static string Read(string path) => File.ReadAllText(Path.Combine(Root, path));

    /// <summary>Lists the files of a folder and the folders below it, by their paths in the repository.</summary>
    /// <param name="extension">End of the files' names, such as <c>.cs</c>.</param>
    /// <param name="folder">Path of the folder in the repository; all of it when empty.</param>
    public static IReadOnlyList<string> Files(string extension, string folder = "") =>
        [.. Below(new DirectoryInfo(Path.Combine(Root, folder)), $"*{extension}").Order(StringComparer.Ordinal)];

    /// <summary>Joins the text of all C# files of a folder and the folders below it.</summary>
    public static string Code(string folder) => string.Join('\n', Files(".cs", folder).Select(Read));

    private static IEnumerable<string> Below(DirectoryInfo folder, string pattern) => folder.EnumerateFiles(pattern)
        .Select(file => Path.GetRelativePath(Root, file.FullName).Replace('\\', '/'))
        .Concat(folder.EnumerateDirectories().Where(child => !Written.Contains(child.Name)).SelectMany(child => Below(child, pattern)));

    private static string FindRoot()
    {
        var folder = new DirectoryInfo(AppContext.BaseDirectory);
        while (!File.Exists(Path.Combine(folder!.FullName, "FunctionsPipeline.sln"))) folder = folder.Parent;
        return folder.FullName;
    }
}
