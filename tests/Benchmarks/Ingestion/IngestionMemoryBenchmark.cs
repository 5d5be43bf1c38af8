using System.Globalization;

namespace FunctionsPipeline.Benchmarks;

/// <summary>The most memory that ingestion takes, for ever longer datasets.</summary>
internal sealed class IngestionMemoryBenchmark : IBenchmark
{
    private const int WarmUpRows = 200;
    private const int Side = 128;

    private static readonly int[] Lengths = [3000, 30_000, 100_000];

    /// <inheritdoc/>
    public string Name => "dataset-memory";

    /// <inheritdoc/>
    public string Title => "Memory of ingestion";

    /// <inheritdoc/>
    public string Description => "peak memory of ingesting 3,000, 30,000 and 100,000 small images (5 minutes)";

    /// <inheritdoc/>
    public BenchmarkReport Report => BenchmarkReport.Datasets;

    /// <inheritdoc/>
    public Section Measure(Meter meter) => MeasureAsync(meter).GetAwaiter().GetResult();

    private static async Task<Section> MeasureAsync(Meter meter)
    {
        using var scratch = new ScratchFolder("ingestion-memory");
        var table = new Table("images", "rows", "peak MB", "of 3,000 rows", "managed heap, MB", "seconds", "rows/s", "CPU ms a row");
        await using var site = await IngestionSite.StartAsync(scratch.Path, Side, Side);
        var datasets = new List<(ImageKind Kind, BenchmarkDataset WarmUp, BenchmarkDataset Dataset)>();
        foreach (var kind in Enum.GetValues<ImageKind>())
            foreach (var rows in Lengths)
                datasets.Add((kind, await site.AddAsync($"warm-up-{kind}-{rows}", kind, WarmUpRows),
                    await site.AddAsync($"pictures-{kind}-{rows}", kind, rows)));
        var fewest = new Dictionary<ImageKind, IngestionFigures>();
        foreach (var (kind, warmUp, dataset) in datasets)
        {
            var rows = dataset.Rows.ToString("N0", CultureInfo.InvariantCulture);
            meter.Say($"measuring: peak memory of {rows} rows, {kind.Describe()}");
            var figures = await site.IngestLongAsync(warmUp, dataset);
            fewest.TryAdd(kind, figures);
            table.Add(
                kind.Describe(), rows, Number(figures.PeakBytes / 1e6),
                string.Create(CultureInfo.InvariantCulture, $"{(double)figures.PeakBytes / fewest[kind].PeakBytes:0.00}×"), Number(figures.HeapBytes / 1e6),
                Number(figures.Seconds), Number(dataset.Rows / figures.Seconds), Number(1000 * figures.CpuSeconds / dataset.Rows));
        }
        return new Section(
            $"JPEGs of {Side}×{Side} pixels and {site.MeanPictureBytes / 1000:0.0} kB, each of its own, all stored; a process for each line, which ingests as " +
            "above but into a blob service in memory that answers as fast for many blobs as for few. Peak: resident memory of the whole process. Managed " +
            "heap: the largest after a collection. With the rows grow 16 bytes each, to find repeated ones, and the plan with its units; the catalog and " +
            "the shards are written by way of files.",
            table);
    }

    private static string Number(double value) => value.ToString(value < 10 ? "0.00" : "0", CultureInfo.InvariantCulture);
}
