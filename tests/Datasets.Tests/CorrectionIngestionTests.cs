using System.Text.Json;
using Azure.Storage.Blobs;
using FunctionsPipeline.Contracts;
using FunctionsPipeline.SampleData;
using FunctionsPipeline.Tests;
using SixLabors.ImageSharp;
using SixLabors.ImageSharp.PixelFormats;

namespace FunctionsPipeline.Datasets.Tests;

public sealed class CorrectionIngestionTests : IAsyncLifetime
{
    private readonly AzuriteFixture _azurite = new();
    private IngestionHarness _harness = null!;
    private DatasetBlobs _garments = null!;

    public async Task InitializeAsync()
    {
        await _azurite.InitializeAsync();
        var options = new IngestionOptions { UnitRows = 4, Concurrency = 3 };
        _harness = await IngestionHarness.OpenAsync(_azurite, new HubServerOptions { Rows = 12 }, options);
        var (dataset, _) = await _harness.IngestAsync(
            IngestionHarness.Garments with { ValidationFraction = 0.3, TestFraction = 0.2 });
        _garments = dataset.Blobs;
    }

    public async Task DisposeAsync()
    {
        await _harness.DisposeAsync();
        await _azurite.DisposeAsync();
    }

    [Fact]
    public async Task Corrected_images_become_shards_whose_splits_follow_the_datasets_rule()
    {
        for (byte shade = 0; shade < 20; shade++) await CorrectAsync($"spring/{shade:D2}.png", Png(shade), $"Coat {shade}");
        var report = await IngestAsync();

        Assert.Equal((20, 20), (report.Counts.Rows, report.Counts.Stored));
        var rule = new SplitRule(["train"], new DatasetRequest { ValidationFraction = 0.3, TestFraction = 0.2 });
        var rows = await RowsAsync(report);
        Assert.All(rows, row => Assert.Equal(rule.SplitOf("train", null, Convert.FromHexString(row.Sha256!)), row.Split));
        Assert.Equal(3, report.Splits.Count);
        Assert.Equal(Enumerable.Range(0, 20).Select(i => ($"Coat {i}", $"product-images/spring/{i:D2}.png")),
            rows.Select(row => (row.Title!, row.ImageUrl!)));

        var shards = await _harness.Ingestion.ReadShardsAsync(Blobs(report));
        Assert.Equal(report.Splits.OrderBy(split => split.Key), shards.GroupBy(shard => shard.Split)
            .ToDictionary(split => split.Key, split => split.Sum(shard => (long)shard.Samples)).OrderBy(split => split.Key));
        Assert.All(shards, shard => Assert.StartsWith($"corrections/{report.Commit}/", shard.Blob, StringComparison.Ordinal));
        var samples = (await Task.WhenAll(shards.Select(shard => _harness.TextAsync(DatasetBlobs.ShardIndex(shard.Blob)))))
            .SelectMany(index => index.Split('\n', StringSplitOptions.RemoveEmptyEntries))
            .Select(line => JsonSerializer.Deserialize<ShardSample>(line, PipelineJson.Compact)!.Labels).ToList();
        Assert.Equal(20, samples.Select(sample => sample.Title).Distinct().Count());
        Assert.Contains("corrections-0", samples.Select(sample => sample.Key));
    }

    [Fact]
    public async Task Corrections_that_cannot_be_used_are_recorded_with_their_reason()
    {
        await CorrectAsync("a.png", Png(1), "Coat");
        await CorrectAsync("broken.png", BinaryData.FromString("no image"), "Coat");
        await CorrectAsync("changed.png", Png(2), "Coat");
        await UploadAsync("changed.png", Png(3));
        await CorrectAsync("gone.png", Png(4), "Coat");
        await Images.GetBlobClient("gone.png").DeleteAsync();
        await CorrectAsync("free.png", Png(5), null, price: -1);
        await CorrectAsync("silent.png", Png(6), null);
        await Corrections.GetBlobClient("z.png.json").UploadAsync(BinaryData.FromString("{"));

        var report = await IngestAsync();

        Assert.Equal(
            [
                ("a.png", null), ("broken.png", Rejection.NotAnImage), ("changed.png", Rejection.Changed), ("free.png", Rejection.BadPrice),
                ("gone.png", Rejection.Changed), ("silent.png", Rejection.NoLabel), ("z.png", Rejection.UnreadableRow),
            ],
            (await RowsAsync(report)).Select(row => (row.ImageUrl!["product-images/".Length..], row.Reason)));
        Assert.Equal((1, 6), (report.Counts.Stored, report.Counts.Rejected));
    }

    [Fact]
    public async Task Further_fields_of_the_dataset_are_read_and_values_of_another_kind_are_rejected()
    {
        var columns = IngestionHarness.Garments.Columns! with
        {
            Fields = new Dictionary<string, FieldColumn>
            {
                ["maker"] = new() { Column = "brand" },
                ["weight"] = new() { Column = "price", Kind = FieldKind.Number, Unit = "g" },
            },
        };
        _garments = (await _harness.Ingestion.ResolveAsync(IngestionHarness.Garments with { Columns = columns })).Blobs;
        await CorrectAsync("a.png", Png(1), null, fields: Values(("maker", new("Acme")), ("weight", new(250)), ("colour", new("red"))));
        await CorrectAsync("b.png", Png(2), "Coat", fields: Values(("maker", new(7))));
        await CorrectAsync("c.png", Png(3), "Coat", fields: Values(("weight", new("heavy"))));
        await CorrectAsync("d.png", Png(4), null, fields: Values(("colour", new("red"))));

        var report = await IngestAsync();

        var rows = await RowsAsync(report);
        Assert.Equal(
            [
                (null, null), (Rejection.UnreadableRow, "maker: 7 must be a text"),
                (Rejection.BadNumber, "weight: heavy is no number of 0 or more"),
                (Rejection.NoLabel, "the row has no value of title, category, price, maker, weight"),
            ],
            rows.Select(row => (row.Reason, row.Detail)));
        Assert.Equal(Values(("maker", new("Acme")), ("weight", new(250))), rows[0].Fields);
        Assert.Equal(["maker", "weight"], report.Fields!.Keys);
    }

    [Fact]
    public async Task The_same_corrections_are_ingested_once_and_other_ones_anew()
    {
        await CorrectAsync("a.png", Png(1), "Coat");
        var first = await IngestAsync();
        var blobs = await BlobsAsync();
        Assert.Equal(first.Seconds, (await IngestAsync()).Seconds);
        Assert.Equal(blobs, await BlobsAsync());

        // The same words again, at another time.
        await CorrectAsync("a.png", null, "Coat");
        Assert.Equal(first.Commit, (await IngestAsync()).Commit);
        await CorrectAsync("a.png", null, "Green Coat");
        var second = await IngestAsync();
        Assert.NotEqual(first.Commit, second.Commit);
        Assert.Equal("Green Coat", Assert.Single(await RowsAsync(second)).Title);
        await UploadAsync("a.png", Png(1));
        Assert.Equal(0, (await IngestAsync()).Counts.Stored);
    }

    [Fact]
    public async Task An_interrupted_ingestion_is_completed_with_the_same_shards()
    {
        for (byte shade = 0; shade < 9; shade++) await CorrectAsync($"{shade}.png", Png(shade), $"Coat {shade}");
        var first = await IngestAsync();
        var shards = await _harness.Ingestion.ReadShardsAsync(Blobs(first));
        foreach (var lost in new[] { Blobs(first).Report, Blobs(first).ShardList, shards[0].Blob, Blobs(first).Manifest("corrections", 1) })
            await _harness.Container.GetBlobClient(lost).DeleteAsync();
        var second = await IngestAsync();
        Assert.Equal(first.Splits.OrderBy(split => split.Key), second.Splits.OrderBy(split => split.Key));
        Assert.Equal(shards, await _harness.Ingestion.ReadShardsAsync(Blobs(second)));
    }

    [Fact]
    public async Task Without_corrections_there_are_no_shards()
    {
        var report = await IngestAsync();
        Assert.Equal(0, report.Counts.Rows);
        Assert.Empty(await _harness.Ingestion.ReadShardsAsync(Blobs(report)));
    }

    private BlobContainerClient Images => _azurite.Blobs.GetBlobContainerClient(Containers.ProductImages);

    private BlobContainerClient Corrections => _azurite.Blobs.GetBlobContainerClient(Containers.Corrections);

    private static DatasetBlobs Blobs(IngestReport report) => new(report.Repo, report.Commit, report.View);

    // Nothing is in memory, as in another process.
    private async Task<IngestReport> IngestAsync()
    {
        using var ingestion = _harness.Restarted();
        return await ingestion.IngestCorrectionsAsync(_garments);
    }

    /// <summary>Uploads an image and corrects it; without an image, corrects the one that is there.</summary>
    private async Task CorrectAsync(
        string image, BinaryData? content, string? title, double? price = null, FieldValues? fields = null)
    {
        if (content is not null) await UploadAsync(image, content);
        var correction = new Correction
        {
            Image = image,
            ETag = (await Images.GetBlobClient(image).GetPropertiesAsync()).Value.ETag.ToString(),
            Title = title,
            Price = price,
            Fields = fields,
            At = DateTimeOffset.UtcNow,
        };
        var document = BinaryData.FromObjectAsJson(correction, PipelineJson.Options);
        await Corrections.GetBlobClient(BlobNames.Correction(image)).UploadAsync(document, overwrite: true);
    }

    private static FieldValues Values(params (string Field, FieldValue Value)[] values) =>
        new(values.Select(value => KeyValuePair.Create(value.Field, value.Value)));

    private Task UploadAsync(string image, BinaryData content) => Images.GetBlobClient(image).UploadAsync(content, overwrite: true);

    private async Task<List<ManifestRow>> RowsAsync(IngestReport report)
    {
        var rows = new List<ManifestRow>();
        await foreach (var manifest in _harness.Container.GetBlobsAsync(new() { Prefix = Blobs(report).Manifests }))
        {
            rows.AddRange((await _harness.TextAsync(manifest.Name)).Split('\n', StringSplitOptions.RemoveEmptyEntries)
                .Select(line => JsonSerializer.Deserialize<ManifestRow>(line, PipelineJson.Compact)!));
        }
        return rows;
    }

    private async Task<List<(string, DateTimeOffset?)>> BlobsAsync()
    {
        var blobs = new List<(string, DateTimeOffset?)>();
        await foreach (var blob in _harness.Container.GetBlobsAsync()) blobs.Add((blob.Name, blob.Properties.LastModified));
        return blobs;
    }

    private static BinaryData Png(byte shade)
    {
        using var image = new Image<Rgb24>(40, 30, new Rgb24(shade, 10, 200));
        using var stream = new MemoryStream();
        image.SaveAsPng(stream);
        return BinaryData.FromBytes(stream.ToArray());
    }
}
