using System.Text.Json;
using FunctionsPipeline.Contracts;
using FunctionsPipeline.Datasets;
using FunctionsPipeline.Datasets.Planning;
using FunctionsPipeline.Datasets.Storage;
using FunctionsPipeline.FunctionApp.Activities;
using FunctionsPipeline.FunctionApp.Orchestration;

namespace FunctionsPipeline.FunctionApp.Tests;

public class IngestDatasetTests
{
    private static readonly ResolvedDataset Dataset = new()
    {
        Blobs = new DatasetBlobs("samples/garments", "c0ffee", "v1"),
        Rows = 100,
        Columns = new ColumnMapping { Category = "category" },
        ColumnsGuess = "category: ClassLabel",
        Files = 2,
        Units = 10,
        CatalogParts = 1,
        KeyPartitions = 1,
        Shards = 3,
        UnitsAtOnce = 6,
        Instances = 1,
    };

    private static readonly RowCounts Counts = new() { Rows = 100, Stored = 88, Duplicates = 2, Rejected = 10 };

    [Fact]
    public async Task Files_are_ingested_then_the_catalog_then_the_shards_then_the_report()
    {
        var files = new List<IngestFileInput>();
        var shards = new List<DatasetItem>();
        ReportInput? report = null;
        var orchestration = Orchestration()
            .On<IngestFileInput>("IngestFile", input =>
            {
                files.Add(input);
            })
            .On<DatasetItem>("PreprocessShard", input =>
            {
                shards.Add(input);
            })
            .On<ReportInput, IngestReport>("WriteReport", input =>
            {
                report = input;
                return Samples.Report;
            });

        await IngestDataset.RunAsync(orchestration);

        Assert.Equal([0, 1], files.Select(input => input.File));
        Assert.All(files, input => Assert.Equal(3, input.Pace.AtOnce));
        Assert.Equal([0, 1, 2], shards.Select(shard => shard.Number));
        Assert.All(shards, shard => Assert.Equal(Dataset.Blobs, shard.Dataset));
        Assert.True(report!.Seconds >= 0);
        var steps = orchestration.Calls.Where(call => call != "ReadProgress").Distinct();
        Assert.Equal(["FindTables", "ResolveDataset", "IngestFile", "BuildCatalog", "PreprocessShard", "WriteReport"], steps);
    }

    [Fact]
    public async Task A_file_is_fetched_before_its_units_and_only_so_many_are_in_work_at_once()
    {
        var (now, most) = (0, 0);
        var units = new List<int>();
        var orchestration = new FakeOrchestration(new IngestFileInput(Dataset.Blobs, 2, new Pace(3, 1, default)))
            .On<DatasetItem, FileUnits>("FetchFile", part =>
            {
                Assert.Equal(2, part.Number);
                return new FileUnits(6, 4);
            })
            .On<DatasetItem, RowCounts>("IngestUnit", async part =>
            {
                units.Add(part.Number);
                most = Math.Max(most, Interlocked.Increment(ref now));
                await Task.Delay(5);
                Interlocked.Decrement(ref now);
                return new RowCounts();
            });

        await IngestFile.RunAsync(orchestration);

        Assert.Equal([6, 7, 8, 9], units);
        Assert.InRange(most, 2, 3);
        Assert.Equal("FetchFile", orchestration.Calls[0]);
    }

    [Fact]
    public async Task The_catalog_is_written_when_all_duplicates_are_known_and_those_when_all_keys_are()
    {
        var ended = new List<string>();
        var orchestration = new FakeOrchestration(new BuildCatalogInput(Dataset.Blobs, 3, 2, new Pace(6, 1, default)))
            .On<DatasetItem>("WriteKeys", part => ended.Add($"keys {part.Number}"))
            .On<DatasetItem>("FindDuplicates", partition => ended.Add($"duplicates {partition.Number}"))
            .On<DatasetItem>("WriteCatalog", part => ended.Add($"catalog {part.Number}"))
            .On<DatasetBlobs, RowCounts>("MergeCatalog", _ => Counts);

        Assert.Equal(88, (await BuildCatalog.RunAsync(orchestration)).Stored);

        Assert.Equal(
            ["keys 0", "keys 1", "keys 2", "duplicates 0", "duplicates 1", "catalog 0", "catalog 1", "catalog 2"], ended);
    }

    [Fact]
    public async Task The_status_shows_counts_rates_what_is_left_and_the_columns()
    {
        var reading = new TaskCompletionSource();
        long rows = 10;
        var orchestration = Orchestration()
            .On<IngestFileInput, object?>("IngestFile", async _ =>
            {
                await reading.Task;
                return null;
            })
            .On<DatasetBlobs, IngestProgress>("ReadProgress", _ =>
            {
                var counts = new RowCounts { Rows = rows, Stored = rows, Bytes = rows * 1000 };
                // The end of the reading may be noticed a look later.
                rows = Math.Min(rows + 20, 90);
                if (rows > 80) reading.TrySetResult();
                return new IngestProgress(1, counts);
            });

        await IngestDataset.RunAsync(orchestration);

        // Two seconds lie between the first looks: 20 rows in them are 10 a second, and what was there before counts for nothing.
        var statuses = orchestration.Statuses.Cast<RunProgress>().ToList();
        var second = statuses.First(status => status.Rate is { RowsPerSecond: > 0 });
        Assert.Equal(new IngestRate(10, 10, 10_000, 7), second.Rate);
        Assert.Equal((30L, 100L), (second.Rows!.Rows, second.TotalRows));
        Assert.All(
            statuses.Skip(1),
            status => Assert.Equal((Dataset.Columns, Dataset.ColumnsGuess), (status.Columns, status.ColumnsGuess)));
        Assert.Equal(88, statuses[^1].Rows!.Stored);
        var shown = statuses.Select(status => status.Rows?.Rows ?? 0).ToList();
        Assert.Equal(shown.Order(), shown);
        Assert.True(orchestration.Timers.Count >= 3);
    }

    [Fact]
    public async Task Looks_at_the_progress_become_rarer_so_that_a_long_ingestion_keeps_a_small_history()
    {
        var reading = new TaskCompletionSource();
        FakeOrchestration? orchestration = null;
        var looks = 0;
        int? inEightHours = null;
        TimeSpan? longest = null;
        orchestration = Orchestration()
            .On<IngestFileInput, object?>("IngestFile", async _ =>
            {
                await reading.Task;
                return null;
            })
            .On<DatasetBlobs, IngestProgress>("ReadProgress", _ =>
            {
                looks++;
                if (orchestration!.Timers.Sum(pause => pause.TotalHours) < 8) return new IngestProgress(1, new RowCounts());
                inEightHours ??= looks;
                longest ??= orchestration!.Timers.Max();
                reading.TrySetResult();
                return new IngestProgress(1, new RowCounts());
            });

        await IngestDataset.RunAsync(orchestration);

        Assert.InRange(inEightHours!.Value, 50, 200);
        Assert.InRange(longest!.Value, TimeSpan.FromMinutes(20), TimeSpan.FromMinutes(25));
    }

    [Fact]
    public async Task A_dataset_that_was_ingested_before_is_not_ingested_again()
    {
        var orchestration = Orchestration()
            .On<DatasetRequest, ResolvedDataset>("ResolveDataset", _ => Dataset with { Report = Samples.Report });
        var report = await IngestDataset.RunAsync(orchestration);
        Assert.Equal(Samples.Report.Counts.Stored, report.Counts.Stored);
        Assert.Equal(["FindTables", "ResolveDataset"], orchestration.Calls);
    }

    [Fact]
    public async Task Tables_of_other_forms_are_converted_before_the_plan_is_made()
    {
        var converted = new List<DatasetItem>();
        var orchestration = Orchestration()
            .On<DatasetRequest, TablesToConvert>("FindTables", _ => new TablesToConvert(Dataset.Blobs, 6, 4, 1))
            .On<DatasetItem>("ConvertTable", table => converted.Add(table));

        await IngestDataset.RunAsync(orchestration);

        Assert.Equal(Enumerable.Range(0, 6).Select(table => new DatasetItem(Dataset.Blobs, table)), converted);
        Assert.Equal("ResolveDataset", orchestration.Calls[7]);
        Assert.Contains(orchestration.Statuses.OfType<RunProgress>(),
            status => status.Message == "converting the files of samples/garments to Parquet: 6 of 6");
    }

    [Fact]
    public async Task The_status_stays_far_below_sixteen_kilobytes()
    {
        var reasons = typeof(Rejection).GetFields().Select(field => (string)field.GetRawConstantValue()!)
            .ToDictionary(reason => reason, _ => long.MaxValue);
        var text = new string('x', 200);
        var orchestration = Orchestration()
            .On<DatasetRequest, ResolvedDataset>("ResolveDataset", _ => Dataset with
            {
                Columns = new ColumnMapping { Image = text, Title = text, Category = text, Price = text, Product = text },
                ColumnsGuess = new string('x', 2000),
            })
            .On<DatasetBlobs, IngestProgress>(
                "ReadProgress", _ => new IngestProgress(1, new RowCounts { Rows = long.MaxValue, RejectedBy = reasons }));

        await IngestDataset.RunAsync(orchestration);

        Assert.All(orchestration.Statuses, status => Assert.InRange(JsonSerializer.SerializeToUtf8Bytes(status).Length, 1, 8 * 1024));
    }

    private static FakeOrchestration Orchestration() => new FakeOrchestration(Samples.Request.Dataset)
        .On<DatasetRequest, TablesToConvert>("FindTables", _ => new TablesToConvert(Dataset.Blobs, 0, 6, 1))
        .On<DatasetRequest, ResolvedDataset>("ResolveDataset", _ => Dataset)
        .On<IngestFileInput>("IngestFile", _ => { })
        .On<DatasetBlobs, IngestProgress>("ReadProgress", _ => new IngestProgress(0, new RowCounts()))
        .On<BuildCatalogInput, RowCounts>("BuildCatalog", _ => Counts)
        .On<DatasetItem>("PreprocessShard", _ => { })
        .On<ReportInput, IngestReport>("WriteReport", _ => Samples.Report);
}

public class BoundedFanOutTests
{
    [Fact]
    public async Task No_more_than_the_bound_wait_at_once_and_a_finished_one_makes_room()
    {
        var sources = Enumerable.Range(0, 5).Select(_ => new TaskCompletionSource()).ToList();
        var called = new List<int>();
        var finished = 0;
        var all = BoundedFanOut.ForEachAsync([0, 1, 2, 3, 4], () => 2, item =>
        {
            called.Add(item);
            return sources[item].Task;
        }, _ => finished++);

        Assert.Equal([0, 1], called);
        sources[1].SetResult();
        Assert.Equal([0, 1, 2], called);
        Assert.Equal(1, finished);
        foreach (var item in new[] { 0, 2, 3, 4 }) sources[item].SetResult();
        await all;
        Assert.Equal(5, finished);
    }

    [Fact]
    public async Task The_first_failure_ends_it()
    {
        var called = 0;
        await Assert.ThrowsAsync<InvalidOperationException>(() => BoundedFanOut.ForEachAsync([1, 2, 3], () => 1, async item =>
        {
            called++;
            await Task.Yield();
            if (item == 2) throw new InvalidOperationException();
        }));
        Assert.Equal(2, called);
    }
}

public class PaceTests
{
    private static readonly DateTime Start = new(2026, 1, 1, 0, 0, 0, DateTimeKind.Utc);

    [Fact]
    public void The_pace_begins_with_what_one_instance_can_do_and_doubles_every_minute_up_to_all_of_them()
    {
        var pace = new Pace(240, 40, Start);
        Assert.Equal([6, 12, 24, 48, 96, 192, 240, 240], Enumerable.Range(0, 8).Select(minute => pace.At(Start.AddMinutes(minute))));
        Assert.Equal(6, new Pace(6, 1, Start).At(Start));
    }

    [Theory]
    [InlineData(6, 1, 60, 1, 6)]
    [InlineData(6, 4, 15, 2, 3)]
    [InlineData(240, 1000, 40, 12, 20)]
    [InlineData(240, 100_000, 1, 240, 1)]
    [InlineData(1, 5, 3, 1, 1)]
    public void Groups_share_the_pace(int atOnce, int groups, int size, int groupsAtOnce, int within)
    {
        var (together, each) = new Pace(atOnce, 40, Start).Divide(groups, size);
        Assert.Equal((groupsAtOnce, within), (together, each.AtOnce));
        Assert.InRange(together * each.AtOnce, 1, atOnce);
    }
}
