using System.Text.Json;
using Azure.Storage.Blobs.Models;
using FunctionsPipeline.Contracts;
using FunctionsPipeline.SampleData;
using FunctionsPipeline.Tests;

namespace FunctionsPipeline.Datasets.Tests;

/// <summary>Tests that a dataset that was ingested before, completely or in part, is fetched and stored only once.</summary>
public sealed class ReingestionTests(AzuriteFixture azurite) : IClassFixture<AzuriteFixture>, IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("pictures-");

    [Fact]
    public async Task The_same_commit_again_fetches_neither_files_nor_pictures()
    {
        await using var harness =
            await IngestionHarness.OpenAsync(azurite, new HubServerOptions { Rows = 70, Seed = 20, LogRequests = true });
        var (first, report) = await harness.IngestAsync(IngestionHarness.Garments);
        var before = harness.Downloads.ToList();
        Assert.NotEmpty(before);

        var again = await harness.Restarted().ResolveAsync(IngestionHarness.Garments);

        Assert.Equal(JsonSerializer.Serialize(report, PipelineJson.Compact), JsonSerializer.Serialize(again.Report, PipelineJson.Compact));
        Assert.Equal(first.Blobs, again.Blobs);
        Assert.Equal(before, harness.Downloads);
    }

    [Fact]
    public async Task Another_view_of_the_same_commit_fetches_nothing_again()
    {
        await using var harness =
            await IngestionHarness.OpenAsync(azurite, new HubServerOptions { Rows = 70, Seed = 21, LogRequests = true });
        await harness.IngestAsync(IngestionHarness.Garments);
        var before = harness.ImagePaths.ToList();

        var (other, report) = await harness.IngestAsync(IngestionHarness.Garments with { TestFraction = 0 });

        Assert.Equal(before, harness.ImagePaths);
        Assert.Equal(report.Counts.Stored, (await harness.Ingestion.ReadShardsAsync(other.Blobs)).Sum(shard => shard.Samples));
    }

    [Fact]
    public async Task A_new_commit_fetches_only_the_new_pictures()
    {
        int port;
        HashSet<string> old;
        await using (var harness = await IngestionHarness.OpenAsync(
            azurite, new HubServerOptions { Rows = 60, Seed = 22, LogRequests = true }))
        {
            await harness.IngestAsync(IngestionHarness.Garments);
            port = harness.Hub.Url.Port;
            old = [.. harness.ImagePaths];
        }
        await using var grown =
            await IngestionHarness.OpenAsync(azurite, new HubServerOptions { Port = port, Rows = 75, Seed = 22, LogRequests = true });

        var (_, report) = await grown.IngestAsync(IngestionHarness.Garments);

        Assert.Equal(75, report.Counts.Rows);
        Assert.Equal(15, grown.ImagePaths.Count());
        Assert.DoesNotContain(grown.ImagePaths, old.Contains);
    }

    [Fact]
    public async Task A_picture_that_several_rows_name_is_fetched_once_and_rows_that_repeat_earlier_ones_are_found_across_units()
    {
        // Row 225 repeats row 224, which is the last of another unit.
        await using var harness = await IngestionHarness.OpenAsync(
            azurite, new HubServerOptions { Rows = 300, Seed = 23, LogRequests = true }, new IngestionOptions { UnitRows = 15 });
        var catalog = new GarmentCatalog(23);
        var (dataset, report) = await harness.IngestAsync(IngestionHarness.Garments);

        var repeated = Enumerable.Range(0, 300).Where(row => catalog[row].Defect == RowDefect.Repeated).Select(row => (long)row).ToList();
        Assert.NotEmpty(repeated);
        Assert.Equal(repeated, (await harness.RowsAsync(dataset)).Where(row => row.State == RowState.Duplicate).Select(row => row.Row));
        Assert.Equal(repeated.Count, report.Counts.Duplicates);
        Assert.True(dataset.Units > 10);
        Assert.Equal(harness.ImagePaths.Distinct(), harness.ImagePaths);
        Assert.Equal(report.Counts.Stored, (await harness.Ingestion.ReadShardsAsync(dataset.Blobs)).Sum(shard => shard.Samples));
    }

    [Fact]
    public async Task A_new_commit_with_the_same_files_and_some_more_keeps_the_images_that_are_there()
    {
        Draw("train", 40);
        int port;
        List<string> images;
        await using (var harness = await IngestionHarness.OpenAsync(azurite, new HubServerOptions { Images = _folder.FullName }))
        {
            port = harness.Hub.Url.Port;
            await harness.IngestAsync(Labels(harness));
            images = await ImagesAsync(harness);
        }
        Draw("validation", 3);
        await using var grown =
            await IngestionHarness.OpenAsync(azurite, new HubServerOptions { Port = port, Images = _folder.FullName, LogRequests = true });

        var (dataset, report) = await grown.IngestAsync(Labels(grown));

        Assert.Equal(43, report.Counts.Stored);
        Assert.Equal(images, (await ImagesAsync(grown)).Where(images.Contains));
        // The file of the train split is the one that is here already: only its footer was looked at.
        var train = (await grown.FilesAsync(dataset.Blobs)).Single(file => file.Split == "train").Hub;
        var bytes = grown.Downloads.Where(request => request.Path.EndsWith(train.Path, StringComparison.Ordinal))
            .Sum(request => request.Bytes);
        Assert.InRange(bytes, 1, train.Size - 1);
    }

    [Fact]
    public async Task Two_executions_of_everything_at_the_same_time_come_to_the_same()
    {
        await using var harness = await IngestionHarness.OpenAsync(azurite, new HubServerOptions { Rows = 130, Seed = 24 });
        var dataset = await harness.Ingestion.ResolveAsync(IngestionHarness.Garments);

        var reports = await Task.WhenAll(harness.CarryOutAsync(dataset), harness.CarryOutAsync(dataset, harness.Restarted()));

        Assert.Equal(JsonSerializer.Serialize(reports[0], PipelineJson.Compact),
            JsonSerializer.Serialize(reports[1], PipelineJson.Compact));
        Assert.Equal(130, reports[0].Counts.Rows);
        Assert.Equal(reports[0].Counts.Stored, (await harness.Ingestion.ReadShardsAsync(dataset.Blobs)).Sum(shard => shard.Samples));
    }

    [Fact]
    public async Task The_report_has_categories_prices_and_sizes_that_add_up()
    {
        await using var harness = await IngestionHarness.OpenAsync(azurite, new HubServerOptions { Rows = 200, Seed = 25 });
        var (dataset, report) = await harness.IngestAsync(IngestionHarness.Garments);
        var stored = (await harness.RowsAsync(dataset)).Where(row => row.State == RowState.Stored).ToList();

        Assert.Equal(report.Categories.Count, report.CategoryCount);
        Assert.Equal(stored.Average(row => row.Price!.Value), report.Prices!.Mean, 6);
        Assert.Equal(stored.Max(row => row.Bytes), report.FileSizes!.Max);
        foreach (var distribution in new[] { report.Prices, report.LongerSides!, report.FileSizes })
        {
            Assert.Equal(stored.Count, distribution.Bins.Sum(bin => bin.Count));
            Assert.All(distribution.Bins.Zip(distribution.Bins.Skip(1)), pair => Assert.True(pair.First.To <= pair.Second.From));
        }
        Assert.All(report.Prices.Bins, bin => Assert.Equal(stored.Count(row => row.Price >= bin.From && row.Price < bin.To), bin.Count));
    }

    public void Dispose() => _folder.Delete(recursive: true);

    private static DatasetRequest Labels(IngestionHarness harness) =>
        new() { Repo = harness.Hub.Dataset, Columns = new ColumnMapping { Category = "label" } };

    private static async Task<List<string>> ImagesAsync(IngestionHarness harness)
    {
        var images = new List<string>();
        var prefix = $"{BlobNames.Slug(harness.Hub.Dataset)}/images/";
        await foreach (var blob in harness.Container.GetBlobsAsync(new GetBlobsOptions { Prefix = prefix }))
            images.Add($"{blob.Name} {blob.Properties.ETag}");
        return images;
    }

    private void Draw(string split, int count)
    {
        var folder = Directory.CreateDirectory(Path.Combine(_folder.FullName, split, "bag")).FullName;
        for (var i = 0; i < count; i++)
            File.WriteAllBytes(Path.Combine(folder, $"{i}.jpg"), GarmentPainter.Jpeg(Garment.All[i], new Random((split.Length * 100) + i)));
    }
}
