using System.Formats.Tar;
using System.Security.Cryptography;
using System.Text.Json;
using Azure.Storage.Blobs.Models;
using FunctionsPipeline.Contracts;
using FunctionsPipeline.Images;
using FunctionsPipeline.SampleData;
using FunctionsPipeline.Tests;
using Parquet;

namespace FunctionsPipeline.Datasets.Tests;

public sealed class GarmentIngestionTests(AzuriteFixture azurite) : IClassFixture<AzuriteFixture>
{
    private const int Rows = 230;

    [Fact]
    public async Task Every_row_is_accounted_for_with_the_reason_it_deserves()
    {
        await using var harness = await IngestionHarness.OpenAsync(azurite, new HubServerOptions { Rows = Rows });
        var (dataset, report) = await harness.IngestAsync(IngestionHarness.Garments);
        var catalog = new GarmentCatalog(seed: 0);

        var rows = await harness.RowsAsync(dataset);

        Assert.Equal(Enumerable.Range(0, Rows).Select(i => (long)i), rows.Select(r => r.Row));
        foreach (var row in rows)
        {
            var truth = catalog[(int)row.Row];
            Assert.Equal((truth.Garment.Title, truth.Garment.Category, truth.Garment.Price), (row.Title, row.Category, row.Price));
            var expected = truth.Defect switch
            {
                RowDefect.None => (RowState.Stored, null),
                RowDefect.NoImageUrl => (RowState.Rejected, Rejection.BadUrl),
                RowDefect.MissingImage => (RowState.Rejected, Rejection.NotFound),
                RowDefect.TruncatedImage => (RowState.Rejected, Rejection.Truncated),
                RowDefect.PageInsteadOfImage => (RowState.Rejected, Rejection.NotAnImage),
                _ => (RowState.Duplicate, (string?)null),
            };
            Assert.Equal(expected, (row.State, row.Reason));
        }
        Assert.Equal(Rows, report.Counts.Rows);
        Assert.Equal(report.Counts.Rows, report.Counts.Stored + report.Counts.Duplicates + report.Counts.Rejected);
        Assert.Equal(report.Counts.Rejected, report.Counts.RejectedBy.Values.Sum());
        Assert.Equal((225, 1, 4), (report.Counts.Stored, report.Counts.Duplicates, report.Counts.Rejected));
        Assert.Equal(225, report.Splits.Values.Sum());
        Assert.Equal(225, report.Categories.Values.Sum());
        Assert.Equal(6, report.Categories.Count);
        Assert.InRange(report.Splits["validation"], 8, 45);
        Assert.InRange(report.Splits["test"], 8, 45);
    }

    [Fact]
    public async Task Shards_hold_the_images_as_they_were_and_their_labels()
    {
        await using var harness = await IngestionHarness.OpenAsync(azurite, new HubServerOptions { Rows = 130, Seed = 1 });
        var (dataset, _) = await harness.IngestAsync(IngestionHarness.Garments);
        var manifest = (await harness.RowsAsync(dataset)).ToDictionary(r => $"{r.SourceSplit}-{r.Row}");

        var keys = new List<string>();
        foreach (var shard in await harness.Ingestion.ReadShardsAsync(dataset.Blobs))
        {
            var content = (await harness.Container.GetBlobClient(shard.Blob).DownloadContentAsync()).Value.Content;
            Assert.Equal(shard.Bytes, content.ToMemory().Length);
            var index = new Queue<ShardSample>(await IndexAsync(harness, shard));
            using var tar = new TarReader(content.ToStream());
            var before = keys.Count;
            while (await tar.GetNextEntryAsync(copyData: true) is { } image)
            {
                var bytes = new byte[image.Length];
                await image.DataStream!.ReadExactlyAsync(bytes);
                var json = (await tar.GetNextEntryAsync(copyData: true))!;
                var labels = (await JsonSerializer.DeserializeAsync<SampleLabels>(json.DataStream!, PipelineJson.Compact))!;
                var row = manifest[labels.Key];
                Assert.Equal(($"{labels.Key}.jpg", $"{labels.Key}.json"), (image.Name, json.Name));
                Assert.Equal(labels.Sha256, Convert.ToHexStringLower(SHA256.HashData(bytes)));
                Assert.Equal((row.Sha256, row.Title, row.Category, row.Price, row.Split),
                    (labels.Sha256, labels.Title, labels.Category, labels.Price, shard.Split));
                using var picture = ImageReader.Read(bytes);
                Assert.Equal((row.Width, row.Height), (picture.Width, picture.Height));
                Assert.Equal(new ShardSample(labels, picture.Width, picture.Height, image.DataOffset, bytes.Length), index.Dequeue());
                keys.Add(labels.Key);
            }
            Assert.Equal(shard.Samples, keys.Count - before);
            Assert.Empty(index);
        }
        Assert.Equal(manifest.Where(m => m.Value.State == RowState.Stored).Select(m => m.Key).Order(), keys.Order());
    }

    [Fact]
    public async Task Running_every_activity_twice_changes_nothing()
    {
        await using var harness = await IngestionHarness.OpenAsync(azurite, new HubServerOptions { Rows = 130, Seed = 2 });
        var (dataset, report) = await harness.IngestAsync(IngestionHarness.Garments);
        var before = await BlobsAsync(harness, dataset.Blobs.Prefix);

        var again = await harness.Ingestion.ResolveAsync(IngestionHarness.Garments);
        var sameReport = await harness.CarryOutAsync(again);

        Assert.Equal(JsonSerializer.Serialize(dataset with { Report = report }, PipelineJson.Compact),
            JsonSerializer.Serialize(again, PipelineJson.Compact));
        Assert.Equal(JsonSerializer.Serialize(report, PipelineJson.Compact), JsonSerializer.Serialize(sameReport, PipelineJson.Compact));
        Assert.Equal(before, await BlobsAsync(harness, dataset.Blobs.Prefix));
        Assert.NotEmpty(before);
    }

    [Fact]
    public async Task A_products_pictures_are_all_in_the_same_split_and_the_catalog_names_the_product()
    {
        await using var harness = await IngestionHarness.OpenAsync(azurite, new HubServerOptions { Rows = 130, Seed = 7 });
        var byColour = IngestionHarness.Garments with
        {
            Columns = IngestionHarness.Garments.Columns! with { Product = "title" }, ValidationFraction = 0.3, TestFraction = 0.3,
        };
        var (dataset, report) = await harness.IngestAsync(byColour);
        var stored = (await harness.RowsAsync(dataset)).Where(r => r.State == RowState.Stored).ToList();

        Assert.Equal(["test", "train", "validation"], report.Splits.Keys);
        Assert.All(stored, row => Assert.Equal(row.Title, row.Product));
        var products = stored.GroupBy(row => row.Product!).ToList();
        Assert.Contains(products, product => product.Count() > 1);
        Assert.All(products, product => Assert.Single(product.Select(row => row.Split).Distinct()));

        var (byCode, _) = await harness.IngestAsync(
            IngestionHarness.Garments with { Columns = IngestionHarness.Garments.Columns! with { Product = "product_code" } });
        Assert.All(await harness.RowsAsync(byCode), row => Assert.Matches("^[0-9]+$", row.Product!));
    }

    [Fact]
    public async Task A_shard_whose_index_was_written_but_not_its_tar_is_made_whole()
    {
        await using var harness = await IngestionHarness.OpenAsync(azurite, new HubServerOptions { Rows = 60, Seed = 8 });
        var (dataset, _) = await harness.IngestAsync(IngestionHarness.Garments);
        var shard = (await harness.Ingestion.ReadShardsAsync(dataset.Blobs))[0];
        var before = await IndexAsync(harness, shard);
        await harness.Container.GetBlobClient(shard.Blob).DeleteAsync();

        await harness.Ingestion.PreprocessAsync(dataset.Blobs, 0);

        Assert.True(await harness.Container.GetBlobClient(shard.Blob).ExistsAsync());
        Assert.Equal(before, await IndexAsync(harness, shard));
    }

    [Fact]
    public async Task Shards_made_again_from_the_same_rows_have_the_same_bytes()
    {
        await using var harness = await IngestionHarness.OpenAsync(azurite, new HubServerOptions { Rows = 60, Seed = 3 });
        var (dataset, _) = await harness.IngestAsync(IngestionHarness.Garments);
        var shard = harness.Container.GetBlobClient((await harness.Ingestion.ReadShardsAsync(dataset.Blobs))[0].Blob);
        var first = (await shard.DownloadContentAsync()).Value.Content.ToArray();
        await shard.DeleteAsync();

        await harness.Ingestion.PreprocessAsync(dataset.Blobs, 0);

        Assert.Equal(first, (await shard.DownloadContentAsync()).Value.Content.ToArray());
    }

    [Fact]
    public async Task The_catalog_holds_every_row_as_csv_and_as_parquet()
    {
        await using var harness = await IngestionHarness.OpenAsync(azurite, new HubServerOptions { Rows = 130, Seed = 4 });
        var (dataset, _) = await harness.IngestAsync(IngestionHarness.Garments);
        var manifest = await harness.RowsAsync(dataset);

        var csv = await harness.TextAsync(dataset.Blobs.CatalogCsv);
        var parquet = (await harness.Container.GetBlobClient(dataset.Blobs.CatalogParquet).DownloadContentAsync()).Value.Content.ToArray();

        var lines = csv.Split("\r\n", StringSplitOptions.RemoveEmptyEntries);
        Assert.Equal(
            "row,bytes,width,height,images,source_split,split,state,reason,detail,sha256,blob,image_url,product,merged_into,"
                + "title,category,price",
            lines[0]);
        Assert.Equal(manifest.Count, lines.Length - 1);
        await using var reader = await ParquetReader.CreateAsync(new MemoryStream(parquet));
        var titles = new List<string?>();
        for (var i = 0; i < reader.RowGroupCount; i++)
        {
            using var group = reader.OpenRowGroupReader(i);
            var values = new string?[group.RowCount];
            await group.ReadAsync(reader.Schema.GetDataFields().Single(f => f.Name == "title"), values.AsMemory());
            titles.AddRange(values);
        }
        Assert.Equal(manifest.Select(r => r.Title), titles);
    }

    [Fact]
    public async Task A_catalog_in_parts_says_the_same_as_one_that_is_not_divided()
    {
        var options = new IngestionOptions { UnitRows = 15 };
        await using var undivided = await IngestionHarness.OpenAsync(azurite, new HubServerOptions { Rows = 300, Seed = 23 }, options);
        var (dataset, report) = await undivided.IngestAsync(IngestionHarness.Garments);
        var rows = await undivided.RowsAsync(dataset);
        var csv = await undivided.TextAsync(dataset.Blobs.CatalogCsv);
        Assert.Contains(rows, row => row.State == RowState.Duplicate);
        Assert.Null(report.CatalogParts);

        // Another view of the same rows, whose plan has small parts and partitions.
        var divided = await undivided.Ingestion.ResolveAsync(IngestionHarness.Garments with { MaxRows = 1_000 });
        Assert.NotEqual(dataset.Blobs, divided.Blobs);
        await undivided.ReplanAsync(divided.Blobs, plan => plan with { CatalogPartUnits = 3, PartitionRows = 60 });
        using var restarted = undivided.Restarted();
        divided = await restarted.ResolveAsync(IngestionHarness.Garments with { MaxRows = 1_000 });
        Assert.Equal((7, 5), (divided.CatalogParts, divided.KeyPartitions));
        var sameReport = await undivided.CarryOutAsync(divided, restarted);

        Assert.Equal(7, sameReport.CatalogParts);
        Assert.Equal(
            JsonSerializer.Serialize(report with { View = "", Prices = Rounded(report.Prices) }, PipelineJson.Compact),
            JsonSerializer.Serialize(
                sameReport with { View = "", CatalogParts = null, Prices = Rounded(sameReport.Prices) }, PipelineJson.Compact));
        Assert.Equal(rows, await undivided.RowsAsync(divided));
        var parts = await Task.WhenAll(
            Enumerable.Range(0, 7).Select(part => undivided.TextAsync($"{divided.Blobs.CatalogPart(part)}.csv")));
        var header = csv[..(csv.IndexOf('\n', StringComparison.Ordinal) + 1)];
        Assert.All(parts, part => Assert.StartsWith(header, part, StringComparison.Ordinal));
        Assert.Equal(csv, header + string.Concat(parts.Select(part => part[header.Length..])));
        Assert.DoesNotContain(await BlobsAsync(undivided, divided.Blobs.ViewPrefix),
            blob => blob.Item1.StartsWith(divided.Blobs.Merging, StringComparison.Ordinal) || blob.Item1 == divided.Blobs.CatalogCsv);

        // Sums of parts are rounded in another order than the sum of all.
        static Distribution? Rounded(Distribution? prices) => prices! with { Mean = Math.Round(prices.Mean, 6) };
    }

    [Fact]
    public async Task Progress_is_the_sum_of_the_units_that_are_done()
    {
        await using var harness = await IngestionHarness.OpenAsync(azurite, new HubServerOptions { Rows = 130, Seed = 5 });
        var dataset = await harness.Ingestion.ResolveAsync(IngestionHarness.Garments);
        await harness.Ingestion.FetchFileAsync(dataset.Blobs, 0);
        Assert.Equal(0, (await harness.Ingestion.ReadProgressAsync(dataset.Blobs)).Units);

        var first = await harness.Ingestion.IngestUnitAsync(dataset.Blobs, 0);
        var second = await harness.Ingestion.IngestUnitAsync(dataset.Blobs, 1);
        var progress = await harness.Ingestion.ReadProgressAsync(dataset.Blobs);

        Assert.Equal(120, first.Rows + second.Rows);
        Assert.Equal(2, progress.Units);
        Assert.Equal(JsonSerializer.Serialize(first + second), JsonSerializer.Serialize(progress.Counts));
    }

    [Fact]
    public async Task A_row_limit_is_part_of_the_view_and_takes_rows_from_all_over_the_split()
    {
        await using var harness = await IngestionHarness.OpenAsync(azurite, new HubServerOptions { Rows = 300, Seed = 6 });
        var whole = (await harness.Ingestion.ResolveAsync(IngestionHarness.Garments)).Blobs;
        var (limited, report) = await harness.IngestAsync(IngestionHarness.Garments with { MaxRows = 30 });

        var rows = (await harness.RowsAsync(limited)).Select(r => r.Row).ToList();

        Assert.NotEqual(whole.View, limited.Blobs.View);
        Assert.Equal(30, report.Counts.Rows);
        Assert.Equal(Enumerable.Range(0, 30).Select(i => (i * 10L) + 9), rows);
    }

    private static async Task<IReadOnlyList<ShardSample>> IndexAsync(IngestionHarness harness, ShardInfo shard)
    {
        var content = await harness.Container.GetBlobClient(DatasetBlobs.ShardIndex(shard.Blob)).DownloadContentAsync();
        return [.. content.Value.Content.ToString().Split('\n', StringSplitOptions.RemoveEmptyEntries)
            .Select(line => JsonSerializer.Deserialize<ShardSample>(line, PipelineJson.Compact)!)];
    }

    private static async Task<List<(string, string)>> BlobsAsync(IngestionHarness harness, string prefix)
    {
        var blobs = new List<(string, string)>();
        await foreach (var blob in harness.Container.GetBlobsAsync(new GetBlobsOptions { Prefix = prefix }))
            blobs.Add((blob.Name, blob.Properties.ETag!.Value.ToString()));
        return blobs;
    }
}
