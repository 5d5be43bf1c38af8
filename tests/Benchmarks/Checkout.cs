namespace FunctionsPipeline.Benchmarks;

/// <summary>A folder below <c>.pipeline</c> for as long as it is used.</summary>
internal sealed class ScratchFolder : IDisposable
{
    public ScratchFolder(string name)
    {
        Path = System.IO.Path.Combine(Checkout.Root, ".pipeline", "benchmarks", name);
        Directory.CreateDirectory(Path);
    }

    /// <summary>The folder.</summary>
    public string Path { get; }

    /// <inheritdoc/>
    public void Dispose() => Directory.Delete(Path, recursive: true);
}

/// <summary>The checkout that this program was built in.</summary>
internal static class Checkout
{
    /// <summary>Folder of the checkout.</summary>
    public static string Root { get; } = Find();

    private static string Find()
    {
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
            if (File.Exists(Path.Combine(folder.FullName, "FunctionsPipeline.sln"))) return folder.FullName;
        throw new InvalidOperationException(
            "The benchmarks must be built and run inside the repository: they write below its .pipeline folder.");
    }
}
