using System.Globalization;
using FunctionsPipeline.Contracts;
using FunctionsPipeline.Datasets.Planning;
using FunctionsPipeline.Datasets.Storage;
using FunctionsPipeline.FunctionApp.Activities;
using FunctionsPipeline.FunctionApp.Orchestration;
using Microsoft.DurableTask;
using Xunit.Abstractions;

namespace FunctionsPipeline.FunctionApp.Tests;

/// <summary>Ingestions of any size, simulated: every orchestrator runs, with stubs in place of all activities.</summary>
public class IngestScaleTests(ITestOutputHelper output)
{
    private const int UnitRows = 250;
    private const int MostEvents = 2000;
    private const int MostPayload = 16 * 1024;

    // 250 images at 70 a second, what an instance of two cores manages with six units at once.
    private static readonly TimeSpan UnitDuration = TimeSpan.FromSeconds(6 * UnitRows / 70.0);

    [Theory]
    [InlineData(200_000, 20, 1)]
    [InlineData(200_000, 1, 1)]
    [InlineData(200_000, 800, 40)]
    [InlineData(10_000_000, 1000, 40)]
    [InlineData(10_000_000, 1, 40)]
    [InlineData(1_000_000, 4000, 40)]
    [InlineData(200_000, 60, 1, true)]
    [InlineData(1_000_000, 5000, 40, true)]
    public void No_history_is_long_and_no_payload_large_whatever_the_number_of_rows_and_files(
        int rows, int files, int instances, bool areConverted = false)
    {
        const int unitsPerInstance = 6;
        var units = rows / UnitRows;
        var dataset = new ResolvedDataset
        {
            Blobs = Samples.Dataset,
            Rows = rows,
            Columns = new ColumnMapping { Category = "category" },
            Files = files,
            Units = units,
            CatalogParts = (units + 999) / 1000,
            KeyPartitions = (rows + 249_999) / 250_000,
            Shards = (units + 3) / 4,
            UnitsAtOnce = unitsPerInstance * instances,
            Instances = instances,
        };
        var tables = areConverted ? files : 0;
        var done = new Dictionary<string, int[]>
        {
            ["ConvertTable"] = new int[tables],
            ["FetchFile"] = new int[files],
            ["IngestUnit"] = new int[units],
            ["WriteKeys"] = new int[dataset.CatalogParts],
            ["FindDuplicates"] = new int[dataset.KeyPartitions],
            ["WriteCatalog"] = new int[dataset.CatalogParts],
            ["PreprocessShard"] = new int[dataset.Shards],
        };
        var calls = 0;
        // A further instance every ten seconds.
        var hub = new SimulatedTaskHub(elapsed => unitsPerInstance * Math.Min(instances, 1 + (int)(elapsed.TotalSeconds / 10)))
            .Orchestrator("IngestDataset", context => IngestDataset.RunAsync(context))
            .Orchestrator("IngestFiles", context => IngestFiles.RunAsync(context))
            .Orchestrator("IngestFile", context => IngestFile.RunAsync(context))
            .Orchestrator("RunActivities", context => RunActivities.RunAsync(context))
            .Orchestrator("BuildCatalog", context => BuildCatalog.RunAsync(context))
            .Activity<DatasetRequest>("FindTables", TimeSpan.FromSeconds(5),
                _ => new TablesToConvert(dataset.Blobs, tables, dataset.UnitsAtOnce, dataset.Instances))
            .Activity<DatasetRequest>("ResolveDataset", TimeSpan.FromSeconds(30), _ => dataset)
            .Activity<DatasetBlobs>("ReadProgress", TimeSpan.FromSeconds(1), _ => new IngestProgress(
                0, new RowCounts { Rows = done["IngestUnit"].Sum() * UnitRows }))
            .Activity<DatasetItem>("FetchFile", TimeSpan.FromSeconds(5), file =>
            {
                done["FetchFile"][file.Number]++;
                var (first, end) = ((long)file.Number * units / files, (file.Number + 1L) * units / files);
                return new FileUnits((int)first, (int)(end - first));
            })
            .Activity<DatasetBlobs>("MergeCatalog", TimeSpan.FromSeconds(2), _ => new RowCounts { Rows = rows })
            .Activity<ReportInput>("WriteReport", TimeSpan.FromSeconds(2), _ => Samples.Report);
        foreach (var (name, seconds) in new[]
        {
            ("IngestUnit", UnitDuration.TotalSeconds), ("WriteKeys", 30), ("FindDuplicates", 10), ("WriteCatalog", 40),
            ("PreprocessShard", 5), ("ConvertTable", 3),
        })
        {
            hub.Activity<DatasetItem>(name, TimeSpan.FromSeconds(seconds), item =>
            {
                // Every twentieth call fails, and is made again.
                if (++calls % 20 == 0) throw new IOException("storage does not answer");
                done[name][item.Number]++;
                return name == "IngestUnit" ? new RowCounts { Rows = UnitRows } : null;
            });
        }

        var report = hub.Run<IngestReport>("IngestDataset", "run-1.ingest", Samples.Request.Dataset);

        Assert.Equal(Samples.Report.Counts.Stored, report.Counts.Stored);
        Assert.All(done.Values, counts => Assert.All(counts, count => Assert.Equal(1, count)));
        Assert.InRange(hub.MostRunning, instances, unitsPerInstance * instances);
        // Whoever asks for a prediction is next as soon as the activities that wait already have begun.
        Assert.InRange(hub.LongestWait, TimeSpan.Zero, TimeSpan.FromSeconds(60));
        var all = hub.Instances;
        foreach (var kind in all)
        {
            Assert.All(kind, instance => Assert.InRange(instance.Events, 1, MostEvents));
            Assert.All(kind, instance => Assert.InRange(instance.LargestPayload, 1, MostPayload));
        }
        output.WriteLine($"{rows:N0} rows, {files:N0} {(areConverted ? "tables" : "files")}, {instances} instances: "
            + $"{hub.Elapsed:d\\.hh\\:mm\\:ss}, at most {hub.MostRunning} activities at once, "
            + $"longest wait {hub.LongestWait.TotalSeconds:0} s");
        foreach (var kind in all)
        {
            output.WriteLine(string.Create(CultureInfo.InvariantCulture,
                $"| {kind.Key} | {kind.Count():N0} | {kind.Max(i => i.Events):N0} | {kind.Max(i => i.LargestPayload):N0} | ")
                + string.Create(CultureInfo.InvariantCulture, $"{kind.Max(i => i.HistoryBytes) / 1000.0:0.0} |"));
        }
    }

    [Fact]
    public void A_table_of_thousands_that_cannot_be_converted_ends_the_ingestion_with_its_reason()
    {
        const string reason = "4000.csv has no rows";
        var calls = 0;
        var hub = new SimulatedTaskHub(_ => 6)
            .Orchestrator("IngestDataset", context => IngestDataset.RunAsync(context))
            .Orchestrator("RunActivities", context => RunActivities.RunAsync(context))
            .Activity<DatasetRequest>("FindTables", TimeSpan.FromSeconds(5), _ => new TablesToConvert(Samples.Dataset, 5000, 6, 1))
            .Activity<DatasetItem>("ConvertTable", TimeSpan.FromSeconds(3), table =>
            {
                if (table.Number != 4000) return null;
                calls++;
                throw new RequestException("dataset.source", 400, reason);
            });

        var failure = Assert.Throws<TaskFailedException>(
            () => hub.Run<IngestReport>("IngestDataset", "run-1.ingest", Samples.Request.Dataset));

        Assert.Equal(reason, FailureReason.Of(TaskFailureDetails.FromException(failure)));
        Assert.Equal(1, calls);
    }
}
