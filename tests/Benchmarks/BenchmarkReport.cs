namespace FunctionsPipeline.Benchmarks;

/// <summary>A report that is committed.</summary>
/// <param name="Command">What writes it.</param>
/// <param name="File">Its name, in <c>tests/Benchmarks</c>.</param>
internal sealed record BenchmarkReport(string Command, string File)
{
    /// <summary>Whatever takes a few minutes in all.</summary>
    public static BenchmarkReport Main { get; } = new("./pipeline bench --write", "results.md");

    /// <summary>The way of a dataset, which takes longer.</summary>
    public static BenchmarkReport Datasets { get; } = new("./pipeline bench dataset --write", "results-datasets.md");

    /// <summary>The local host.</summary>
    public static BenchmarkReport Host { get; } = new("./pipeline bench host --write", "results-host.md");
}
