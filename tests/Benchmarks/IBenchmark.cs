namespace FunctionsPipeline.Benchmarks;

/// <summary>A group of measurements that share their preparation and a table.</summary>
internal interface IBenchmark
{
    /// <summary>Name on the command line.</summary>
    string Name { get; }

    /// <summary>Heading in the report.</summary>
    string Title { get; }

    /// <summary>Describes the measurements in a line.</summary>
    string Description { get; }

    /// <summary>
    /// The committed report that the benchmark belongs to. Benchmarks outside the main report are measured only when they are named.
    /// </summary>
    ReportFile Report => ReportFile.Main;

    /// <summary>Prepares, measures, and cleans up.</summary>
    /// <exception cref="NotMeasuredException">Something that the benchmark needs is not on this machine.</exception>
    Section Measure(Meter meter);
}

/// <summary>A report that is committed.</summary>
/// <param name="Command">Command that writes the report.</param>
/// <param name="File">Name of the report in <c>tests/Benchmarks</c>.</param>
internal sealed record ReportFile(string Command, string File)
{
    /// <summary>The benchmarks that take a few minutes in all.</summary>
    public static ReportFile Main { get; } = new("./pipeline bench --write", "results.md");

    /// <summary>Ingestion of a dataset, which takes longer.</summary>
    public static ReportFile Datasets { get; } = new("./pipeline bench dataset --write", "results-datasets.md");

    /// <summary>The local host.</summary>
    public static ReportFile Host { get; } = new("./pipeline bench host --write", "results-host.md");

    /// <summary>Predictions.</summary>
    public static ReportFile Serve { get; } = new("./pipeline bench serve --write", "results-serve.md");
}

/// <summary>Thrown when something that a measurement needs is not on this machine; the message names it.</summary>
internal sealed class NotMeasuredException(string message) : Exception(message);
