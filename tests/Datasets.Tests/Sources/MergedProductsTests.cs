using System.Text.Json;
using FunctionsPipeline.Contracts;
using FunctionsPipeline.Datasets.Planning;
using FunctionsPipeline.Tests;

namespace FunctionsPipeline.Datasets.Tests.Sources;

/// <summary>Rows of a product that are far apart in the dataset.</summary>
public sealed class MergedProductsTests(AzuriteFixture azurite) : IClassFixture<AzuriteFixture>
{
    private static readonly IngestionOptions SmallUnits = new() { UnitRows = 2 };

    [Fact]
    public async Task Rows_of_a_product_are_one_sample_wherever_they_are()
    {
        await using var folder = await CreateAsync();
        var (near, report) = await folder.Harness.IngestAsync(Request(folder, maxImages: 8));
        Assert.Equal((1, 1), (near.CatalogParts, near.KeyPartitions));

        // Another view of the same rows: a unit is a shard and a part of the catalog, and a few keys are a partition.
        var (far, dividedReport) = await CarriedOutAsync(folder, Request(folder, maxImages: 8) with { MaxRows = 1_000 });

        Assert.True(far.Units > 8 && far.CatalogParts == far.Units && far.KeyPartitions > 8 && far.Shards == far.Units);
        var samples = await SamplesAsync(folder, near);
        Assert.Equal(samples, await SamplesAsync(folder, far));
        Assert.Equal(
            ["test test-0 2", "test test-1 1", "train train-1 6", "train train-2 6", "train train-20 1", "train train-3 6"],
            samples.Select(sample => $"{sample.Split} {sample.Key} {sample.Images.Count}").Order(StringComparer.Ordinal));
        Assert.Equal((22L, 1L, 1L, 16L),
            (report.Counts.Stored, report.Counts.Duplicates, report.Counts.Rejected, report.MergedRows));
        Assert.Equal(report.MergedRows, dividedReport.MergedRows);
    }

    [Fact]
    public async Task Images_of_a_product_come_in_the_order_of_the_rows_and_are_no_more_than_are_wanted()
    {
        await using var folder = await CreateAsync();
        var (dataset, _) = await CarriedOutAsync(folder, Request(folder, maxImages: 3));
        var rows = await folder.Harness.RowsAsync(dataset);

        var samples = await SamplesAsync(folder, dataset);

        foreach (var product in rows.Where(row => row.State == RowState.Stored && row.Product is not null)
            .GroupBy(row => (row.Split, row.Product)))
        {
            var first = product.First();
            var sample = Assert.Single(samples, sample => sample.Key == $"{first.SourceSplit}-{first.Row}");
            Assert.Equal(product.Select(row => row.Sha256).Distinct().Take(3), sample.Images);
            Assert.Equal(first.Title, sample.Title);
        }
    }

    [Fact]
    public async Task A_merged_row_says_which_row_has_its_images()
    {
        await using var folder = await CreateAsync();
        var (dataset, _) = await CarriedOutAsync(folder, Request(folder, maxImages: 4));

        var page = await new StoredDatasets(azurite.Blobs).RowsAsync(dataset.Blobs, new RowFilter(), 100, null, default);

        // The first row of P0 with an image, and the first ones of P1 and P2; 19 repeats row 1, and 20 has no product.
        var train = page!.Rows.Where(row => row.SourceSplit == Splits.Train).ToList();
        Assert.Equal(
            Enumerable.Range(0, 21).Select(row => row is < 4 or > 18 ? null : $"train/{((row - 1) % 3) + 1}"),
            train.Select(row => row.MergedInto));
        Assert.Equal([null, null, "test/0"],
            page.Rows.Where(row => row.SourceSplit == Splits.Test).Select(row => row.MergedInto));
        var part = await folder.Harness.TextAsync($"{dataset.Blobs.CatalogPart(dataset.CatalogParts - 2)}.csv");
        Assert.Contains(",P2,train/3,", part, StringComparison.Ordinal);
        Assert.Equal(RowState.Duplicate, train[19].State);
    }

    [Fact]
    public async Task Steps_that_run_again_change_nothing()
    {
        await using var folder = await CreateAsync();
        var request = Request(folder, maxImages: 4);
        var dataset = await DividedAsync(folder, request);
        using var first = folder.Harness.Restarted();
        for (var file = 0; file < dataset.Files; file++) await first.FetchFileAsync(dataset.Blobs, file);
        for (var unit = 0; unit < dataset.Units; unit++) await first.IngestUnitAsync(dataset.Blobs, unit);
        await first.WriteCatalogAsync(dataset.Blobs);
        await first.PreprocessAsync(dataset.Blobs, 0);
        var before = await BlobsAsync(folder, dataset);

        using var second = folder.Harness.Restarted();
        await second.WriteCatalogAsync(dataset.Blobs);
        await second.PreprocessAsync(dataset.Blobs, 0);

        Assert.Equal(before, await BlobsAsync(folder, dataset));
        await folder.Harness.CarryOutAsync(dataset, second);
        Assert.DoesNotContain(await BlobsAsync(folder, dataset), blob => blob.Contains(dataset.Blobs.Merging, StringComparison.Ordinal));
    }

    private async Task<SourceFolder> CreateAsync()
    {
        var folder = await SourceFolder.CreateAsync(azurite, SmallUnits);
        await folder.AddAsync(("products.csv", "products.csv"), ("products-test.csv", "products-test.csv"));
        await folder.AddImagesAsync(12);
        return folder;
    }

    private static DatasetRequest Request(SourceFolder folder, int maxImages) =>
        folder.Request() with { Images = ImageUse.Prompt, MaxImages = maxImages, ValidationFraction = 0 };

    private static async Task<(ResolvedDataset Dataset, IngestReport Report)> CarriedOutAsync(SourceFolder folder, DatasetRequest request)
    {
        var dataset = await DividedAsync(folder, request);
        using var restarted = folder.Harness.Restarted();
        return (dataset, await folder.Harness.CarryOutAsync(dataset, restarted));
    }

    private static async Task<ResolvedDataset> DividedAsync(SourceFolder folder, DatasetRequest request)
    {
        await IngestionHarness.ConvertAsync(folder.Ingestion, request);
        var dataset = await folder.Ingestion.ResolveAsync(request);
        await folder.Harness.ReplanAsync(
            dataset.Blobs, plan => plan with { UnitsPerShard = 1, CatalogPartUnits = 1, PartitionRows = 20 });
        using var restarted = folder.Harness.Restarted();
        return await restarted.ResolveAsync(request);
    }

    private static async Task<List<Sample>> SamplesAsync(SourceFolder folder, ResolvedDataset dataset)
    {
        var samples = new List<Sample>();
        foreach (var shard in await folder.Ingestion.ReadShardsAsync(dataset.Blobs))
        {
            var index = await folder.Harness.TextAsync(DatasetBlobs.ShardIndex(shard.Blob));
            foreach (var line in index.Split('\n', StringSplitOptions.RemoveEmptyEntries))
            {
                var sample = JsonSerializer.Deserialize<ShardSample>(line, PipelineJson.Compact)!;
                IEnumerable<string> images = [sample.Labels.Sha256, .. (sample.MoreImages ?? []).Select(image => image.Sha256)];
                samples.Add(new Sample(shard.Split, sample.Labels.Key, sample.Labels.Title, string.Join(' ', images)));
            }
        }
        return samples;
    }

    private static async Task<List<string>> BlobsAsync(SourceFolder folder, ResolvedDataset dataset)
    {
        var blobs = new List<string>();
        await foreach (var blob in folder.Harness.Container.GetBlobsAsync(new() { Prefix = dataset.Blobs.ViewPrefix }))
            blobs.Add($"{blob.Name} {blob.Properties.ETag}");
        return blobs;
    }

    private sealed record Sample(string Split, string Key, string? Title, string Shas)
    {
        public IReadOnlyList<string> Images => Shas.Split(' ');
    }
}
