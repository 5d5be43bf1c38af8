namespace FunctionsPipeline.Benchmarks;

/// <summary>A folder below <c>.pipeline</c> for as long as it is used.</summary>
internal sealed class ScratchFolder : IDisposable
{
    public ScratchFolder(string name)
    {
        Path = System.IO.Path.Combine(Repository.Root, ".pipeline", "benchmarks", name);
        Directory.CreateDirectory(Path);
    }

    /// <summary>The folder.</summary>
    public string Path { get; }

    /// <inheritdoc/>
    public void Dispose() => Directory.Delete(Path, recursive: true);
}
