using FunctionsPipeline.Contracts;
using FunctionsPipeline.Datasets;
using FunctionsPipeline.FunctionApp.Activities;
using FunctionsPipeline.FunctionApp.Orchestration;

namespace FunctionsPipeline.Tests.FunctionApp;

public class IngestDatasetTests
{
    private static readonly ResolvedDataset Dataset = new()
    {
        Request = Samples.Request.Dataset,
        Commit = "c0ffee",
        ParquetCommit = "f00d",
        Config = "default",
        View = "v1",
        Splits = new Dictionary<string, SplitRows> { ["train"] = new(100, 100) },
        Units = [.. Enumerable.Range(0, 10).Select(unit => new IngestUnit(unit, "train", "train/0000.parquet", 0, unit * 10, 10))],
    };

    [Fact]
    public async Task Every_unit_is_ingested_then_preprocessed_and_the_counts_grow()
    {
        var inputs = new List<UnitInput>();
        CatalogInput? catalog = null;
        var orchestration = Orchestration()
            .On<UnitInput, UnitResult>("IngestShard", input =>
            {
                inputs.Add(input);
                return new UnitResult(input.Unit.Number, new RowCounts { Rows = 10, Stored = 9, Rejected = 1 });
            })
            .On<CatalogInput, IngestReport>("WriteCatalog", input =>
            {
                catalog = input;
                return Samples.Report;
            });
        await IngestDataset.RunAsync(orchestration);

        Assert.Equal(Enumerable.Range(0, 10), inputs.Select(input => input.Unit.Number));
        Assert.All(inputs, input => Assert.Empty(input.Dataset.Units));
        Assert.Equal(10, catalog!.Dataset.Units.Count);
        Assert.Equal(10, catalog.Shards.Count);
        Assert.True(orchestration.Calls.LastIndexOf("IngestShard") < orchestration.Calls.IndexOf("PreprocessShard"));

        var rows = orchestration.Statuses.Cast<RunStatus>().Where(status => status.Rows is not null).Select(status => status.Rows!.Rows).ToList();
        Assert.Equal(rows.Order(), rows);
        Assert.Equal(Enumerable.Range(0, 11).Select(unit => unit * 10L), rows.Distinct());
        Assert.All(orchestration.Statuses.Cast<RunStatus>().Skip(1), status => Assert.Equal(100, status.TotalRows));
    }

    [Fact]
    public async Task At_most_four_units_are_in_work_at_once()
    {
        var (now, most) = (0, 0);
        var orchestration = Orchestration().On<UnitInput, UnitResult>("IngestShard", async input =>
        {
            most = Math.Max(most, Interlocked.Increment(ref now));
            await Task.Delay(5);
            Interlocked.Decrement(ref now);
            return new UnitResult(input.Unit.Number, new RowCounts());
        });
        await IngestDataset.RunAsync(orchestration);
        Assert.InRange(most, 2, 4);
    }

    private static FakeOrchestration Orchestration() => new FakeOrchestration(Samples.Request.Dataset)
        .On<DatasetRequest, ResolvedDataset>("ResolveDataset", _ => Dataset)
        .On<UnitInput, UnitResult>("IngestShard", input => new UnitResult(input.Unit.Number, new RowCounts()))
        .On<UnitInput, List<ShardInfo>>("PreprocessShard", input => [new ShardInfo(Dataset.Blobs.Shard("train", input.Unit.Number), "train", 9, 900)])
        .On<CatalogInput, IngestReport>("WriteCatalog", _ => Samples.Report);
}
