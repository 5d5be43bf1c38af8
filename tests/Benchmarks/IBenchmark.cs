namespace FunctionsPipeline.Benchmarks;

/// <summary>A group of measurements that share their preparation and a table.</summary>
internal interface IBenchmark
{
    /// <summary>What the command line calls it.</summary>
    string Name { get; }

    /// <summary>Its heading in the report.</summary>
    string Title { get; }

    /// <summary>What it measures, in a line.</summary>
    string Description { get; }

    /// <summary>The committed report that it belongs to. What is not in the main one is measured only when it is named.</summary>
    BenchmarkReport Report => BenchmarkReport.Main;

    /// <summary>Prepares, measures, and cleans up.</summary>
    /// <exception cref="NotMeasuredException">Something that it needs is not here.</exception>
    Section Measure(Meter meter);
}
