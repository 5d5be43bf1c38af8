using System.Text.Json;
using Azure.Storage.Blobs.Models;
using FunctionsPipeline.Contracts;
using FunctionsPipeline.Datasets;
using FunctionsPipeline.SampleData;

namespace FunctionsPipeline.Tests.Datasets;

/// <summary>What is fetched and stored when a dataset, or part of it, has been here before.</summary>
public sealed class ReingestionTests(AzuriteFixture azurite) : IClassFixture<AzuriteFixture>, IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("pictures-");

    [Fact]
    public async Task The_same_commit_again_fetches_neither_files_nor_pictures()
    {
        await using var workshop = await Workshop.OpenAsync(azurite, new HubServerOptions { Rows = 70, Seed = 20, LogRequests = true });
        var (first, report) = await workshop.IngestAsync(Workshop.Garments);
        var before = workshop.Downloads.ToList();
        Assert.NotEmpty(before);

        var again = await workshop.Restarted().ResolveAsync(Workshop.Garments);

        Assert.Equal(JsonSerializer.Serialize(report, PipelineJson.Compact), JsonSerializer.Serialize(again.Report, PipelineJson.Compact));
        Assert.Equal(first.Blobs, again.Blobs);
        Assert.Equal(before, workshop.Downloads);
    }

    [Fact]
    public async Task Another_view_of_the_same_commit_fetches_nothing_again()
    {
        await using var workshop = await Workshop.OpenAsync(azurite, new HubServerOptions { Rows = 70, Seed = 21, LogRequests = true });
        await workshop.IngestAsync(Workshop.Garments);
        var before = workshop.Pictures.ToList();

        var (other, report) = await workshop.IngestAsync(Workshop.Garments with { TestFraction = 0 });

        Assert.Equal(before, workshop.Pictures);
        Assert.Equal(report.Counts.Stored, (await workshop.Ingestion.ReadShardsAsync(other.Blobs)).Sum(shard => shard.Samples));
    }

    [Fact]
    public async Task A_new_commit_fetches_only_the_new_pictures()
    {
        int port;
        HashSet<string> old;
        await using (var workshop = await Workshop.OpenAsync(azurite, new HubServerOptions { Rows = 60, Seed = 22, LogRequests = true }))
        {
            await workshop.IngestAsync(Workshop.Garments);
            port = workshop.Hub.Address.Port;
            old = [.. workshop.Pictures];
        }
        await using var grown = await Workshop.OpenAsync(azurite, new HubServerOptions { Port = port, Rows = 75, Seed = 22, LogRequests = true });

        var (_, report) = await grown.IngestAsync(Workshop.Garments);

        Assert.Equal(75, report.Counts.Rows);
        Assert.Equal(15, grown.Pictures.Count());
        Assert.DoesNotContain(grown.Pictures, old.Contains);
    }

    [Fact]
    public async Task A_picture_that_several_rows_name_is_fetched_once_and_rows_that_repeat_earlier_ones_are_found_across_units()
    {
        // Row 225 repeats row 224, which is the last of another unit.
        await using var workshop = await Workshop.OpenAsync(
            azurite, new HubServerOptions { Rows = 300, Seed = 23, LogRequests = true }, new IngestionOptions { UnitRows = 15 });
        var catalog = new GarmentCatalog(23);
        var (dataset, report) = await workshop.IngestAsync(Workshop.Garments);

        var repeated = Enumerable.Range(0, 300).Where(row => catalog[row].Defect == RowDefect.Repeated).Select(row => (long)row).ToList();
        Assert.NotEmpty(repeated);
        Assert.Equal(repeated, (await workshop.RowsAsync(dataset)).Where(row => row.State == RowState.Duplicate).Select(row => row.Row));
        Assert.Equal(repeated.Count, report.Counts.Duplicates);
        Assert.True((await workshop.PlanAsync(dataset)).Units.Count > 10);
        Assert.Equal(workshop.Pictures.Distinct(), workshop.Pictures);
        Assert.Equal(report.Counts.Stored, (await workshop.Ingestion.ReadShardsAsync(dataset.Blobs)).Sum(shard => shard.Samples));
    }

    [Fact]
    public async Task A_new_commit_with_the_same_files_and_some_more_keeps_the_images_that_are_there()
    {
        Draw("train", 40);
        int port;
        List<string> images;
        await using (var workshop = await Workshop.OpenAsync(azurite, new HubServerOptions { Images = _folder.FullName }))
        {
            port = workshop.Hub.Address.Port;
            await workshop.IngestAsync(Labels(workshop));
            images = await ImagesAsync(workshop);
        }
        Draw("validation", 3);
        await using var grown = await Workshop.OpenAsync(azurite, new HubServerOptions { Port = port, Images = _folder.FullName, LogRequests = true });

        var (dataset, report) = await grown.IngestAsync(Labels(grown));

        Assert.Equal(43, report.Counts.Stored);
        Assert.Equal(images, (await ImagesAsync(grown)).Where(images.Contains));
        // The file of the train split is the one that is here already: only its footer was looked at.
        var train = (await grown.PlanAsync(dataset)).Files.Single(file => file.Split == "train").Hub;
        Assert.InRange(grown.Downloads.Where(request => request.Path.EndsWith(train.Path, StringComparison.Ordinal)).Sum(request => request.Bytes), 1, train.Size - 1);
    }

    [Fact]
    public async Task Two_executions_of_everything_at_the_same_time_come_to_the_same()
    {
        await using var workshop = await Workshop.OpenAsync(azurite, new HubServerOptions { Rows = 130, Seed = 24 });
        var dataset = await workshop.Ingestion.ResolveAsync(Workshop.Garments);

        var reports = await Task.WhenAll(workshop.CarryOutAsync(dataset), workshop.CarryOutAsync(dataset, workshop.Restarted()));

        Assert.Equal(JsonSerializer.Serialize(reports[0], PipelineJson.Compact), JsonSerializer.Serialize(reports[1], PipelineJson.Compact));
        Assert.Equal(130, reports[0].Counts.Rows);
        Assert.Equal(reports[0].Counts.Stored, (await workshop.Ingestion.ReadShardsAsync(dataset.Blobs)).Sum(shard => shard.Samples));
    }

    [Fact]
    public async Task The_report_has_categories_prices_and_sizes_that_add_up()
    {
        await using var workshop = await Workshop.OpenAsync(azurite, new HubServerOptions { Rows = 200, Seed = 25 });
        var (dataset, report) = await workshop.IngestAsync(Workshop.Garments);
        var stored = (await workshop.RowsAsync(dataset)).Where(row => row.State == RowState.Stored).ToList();

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

    private static DatasetRequest Labels(Workshop workshop) => new() { Repo = workshop.Hub.Dataset, Columns = new ColumnMapping { Category = "label" } };

    private static async Task<List<string>> ImagesAsync(Workshop workshop)
    {
        var images = new List<string>();
        var prefix = $"{BlobNames.Slug(workshop.Hub.Dataset)}/images/";
        await foreach (var blob in workshop.Container.GetBlobsAsync(new GetBlobsOptions { Prefix = prefix }))
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
