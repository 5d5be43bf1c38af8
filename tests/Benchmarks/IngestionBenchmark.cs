using System.Globalization;

namespace FunctionsPipeline.Benchmarks;

/// <summary>
/// Measures ingestion from a hub to training shards: rates, and the processor time of an image beside that of decoding and hashing it.
/// </summary>
internal sealed class IngestionBenchmark : IBenchmark
{
    private const int Rows = 3040;
    private const int WarmUpRows = 200;
    private const int Width = 1000;
    private const int Height = 1500;
    private const int Decoded = 320;
    private const int Rounds = 3;
    private const double Target = 1.6;

    /// <inheritdoc/>
    public string Name => "dataset-ingestion";

    /// <inheritdoc/>
    public string Title => "Ingestion";

    /// <inheritdoc/>
    public ReportFile Report => ReportFile.Datasets;

    /// <inheritdoc/>
    public string Description =>
        "3,040 images by URL, and embedded, from a hub to training shards in Azurite, beside decoding them alone (4 minutes)";

    /// <inheritdoc/>
    public Section Measure(Meter meter) => MeasureAsync(meter).GetAwaiter().GetResult();

    private static async Task<Section> MeasureAsync(Meter meter)
    {
        using var scratch = new ScratchFolder("ingestion");
        meter.Say("drawing pictures");
        await using var site = await IngestionSite.StartAsync(scratch.Path, Width, Height);
        var speed =
            new Table("images", "rounds", "seconds", "images/s", "MB/s", "CPU ms an image", "decode + hash", "ratio", "fastest", "slowest");
        var stages = new Table("CPU ms an image", "rows and images", "catalog", "shards", "blob requests an image");
        var kinds = new List<(ImageKind Kind, BenchmarkDataset WarmUp, BenchmarkDataset Dataset)>();
        foreach (var kind in Enum.GetValues<ImageKind>())
        {
            kinds.Add(
                (kind, await site.AddAsync($"warm-up-{kind}", kind, WarmUpRows), await site.AddAsync($"pictures-{kind}", kind, Rows)));
        }
        foreach (var (kind, warmUp, dataset) in kinds)
        {
            var figures = new List<IngestionFigures>();
            for (var round = 1; round <= Rounds; round++)
            {
                meter.Say($"measuring: ingestion, {kind.Describe()}, round {round} of {Rounds}");
                figures.Add(await site.IngestAsync(warmUp, dataset, Decoded));
            }
            var middle = figures.OrderBy(Ratio).ElementAt(Rounds / 2);
            speed.Add(
                kind.Describe(), $"{Rounds}", Number(middle.Seconds), Number(middle.Images / middle.Seconds),
                Number(middle.Bytes / middle.Seconds / 1e6), Number(1000 * middle.CpuSeconds / middle.Images),
                Number(1000 * middle.Alone!.CpuSeconds), Times(Ratio(middle)), Times(figures.Min(Ratio)), Times(figures.Max(Ratio)));
            stages.Add(
            [
                kind.Describe(),
                .. new[] { middle.Units, middle.Catalog, middle.Shards }.Select(stage => Number(1000 * stage.CpuSeconds / middle.Images)),
                Number((double)middle.Requests / middle.Images),
            ]);
        }
        return new Section(
            $"{Rows:N0} rows in one Parquet file, each with a JPEG of its own of {Width}×{Height} pixels and " +
            $"{site.MeanPictureBytes / 1000:0} kB in the mean (drawings with the statistics of photographs, told apart by a comment " +
            "in the file), all stored. A round: every activity in the order of the orchestrators, with 6 units and 4 shards at once " +
            $"and the options' defaults, in a new process that has ingested {WarmUpRows} other rows before, into a new Azurite in " +
            "memory. The hub and Azurite are processes of their own, whose processor time is not counted, but they take it from the " +
            "same cores. Processor time is user and system time of all threads. Beside it the same for decoding and SHA-256 of " +
            $"{Decoded} of the pictures on one thread, in the same process, before and after. The figures are those of the round with " +
            $"the middle ratio; the target is at most {Times(Target)}.",
            speed, stages);
    }

    private static double Ratio(IngestionFigures figures) => figures.CpuSeconds / figures.Images / figures.Alone!.CpuSeconds;

    private static string Times(double value) => string.Create(CultureInfo.InvariantCulture, $"{value:0.00}×");

    private static string Number(double value) => value.ToString(value < 100 ? "0.00" : "0", CultureInfo.InvariantCulture);
}

/// <summary>Measures the peak memory of ingestion, for longer and longer datasets.</summary>
internal sealed class IngestionMemoryBenchmark : IBenchmark
{
    // Six shards, as many as are in progress at once.
    private const int WarmUpRows = 6000;
    private const int Side = 128;

    private static readonly int[] Lengths = [3000, 30_000, 100_000];

    /// <inheritdoc/>
    public string Name => "dataset-memory";

    /// <inheritdoc/>
    public string Title => "Memory of ingestion";

    /// <inheritdoc/>
    public string Description => "peak memory of ingesting 3,000, 30,000 and 100,000 small images (5 minutes)";

    /// <inheritdoc/>
    public ReportFile Report => ReportFile.Datasets;

    /// <inheritdoc/>
    public Section Measure(Meter meter) => MeasureAsync(meter).GetAwaiter().GetResult();

    private static async Task<Section> MeasureAsync(Meter meter)
    {
        using var scratch = new ScratchFolder("ingestion-memory");
        var table = new Table("images", "rows", "peak MB", "of 3,000 rows", "managed heap, MB", "seconds", "rows/s", "CPU ms a row");
        await using var site = await IngestionSite.StartAsync(scratch.Path, Side, Side);
        var datasets = new List<(ImageKind Kind, BenchmarkDataset WarmUp, BenchmarkDataset Dataset)>();
        foreach (var kind in Enum.GetValues<ImageKind>())
        {
            foreach (var rows in Lengths)
            {
                datasets.Add((kind, await site.AddAsync($"warm-up-{kind}-{rows}", kind, WarmUpRows),
                    await site.AddAsync($"pictures-{kind}-{rows}", kind, rows)));
            }
        }
        var fewest = new Dictionary<ImageKind, IngestionFigures>();
        foreach (var (kind, warmUp, dataset) in datasets)
        {
            var rows = dataset.Rows.ToString("N0", CultureInfo.InvariantCulture);
            meter.Say($"measuring: peak memory of {rows} rows, {kind.Describe()}");
            var figures = await site.IngestLongAsync(warmUp, dataset);
            fewest.TryAdd(kind, figures);
            table.Add(
                kind.Describe(), rows, Number(figures.PeakBytes / 1e6),
                string.Create(CultureInfo.InvariantCulture, $"{(double)figures.PeakBytes / fewest[kind].PeakBytes:0.00}×"),
                Number(figures.HeapBytes / 1e6),
                Number(figures.Seconds), Number(dataset.Rows / figures.Seconds), Number(1000 * figures.CpuSeconds / dataset.Rows));
        }
        return new Section(
            $"JPEGs of {Side}×{Side} pixels and {site.MeanPictureBytes / 1000:0.0} kB, each of its own, all stored; a process for " +
            $"each line, which ingests as above but after {WarmUpRows:N0} other rows, so that all units and shards at once have been in " +
            "progress before, and into a blob service in memory that answers as fast for many blobs as for few. " +
            "Peak: resident memory of the whole process; the target is at most 1.10× of 3,000 rows. Managed heap: the largest after a " +
            "collection, mostly of the youngest objects: embedded images leave garbage in the heap of large objects, as the pages that " +
            "hold them are copied before they are decompressed (docs/parquet.md). Catalog and shards are written by way of files. Every " +
            "row is an image, so that rows/s are images/s too; hub and blob service take their time from the same cores. img2dataset " +
            "publishes 1,350 images/s on 16 cores, 84 a core, each resized to 256 pixels.",
            table);
    }

    private static string Number(double value) => value.ToString(value < 10 ? "0.00" : "0", CultureInfo.InvariantCulture);
}
