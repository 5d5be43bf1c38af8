namespace FunctionsPipeline.Benchmarks;

/// <summary>The checkout that this program was built in.</summary>
internal static class Repository
{
    /// <summary>Its folder.</summary>
    public static string Root { get; } = Find();

    private static string Find()
    {
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
            if (File.Exists(Path.Combine(folder.FullName, "FunctionsPipeline.sln"))) return folder.FullName;
        throw new InvalidOperationException(
            "The benchmarks must be built and run inside the repository: they write below its .pipeline folder.");
    }
}
