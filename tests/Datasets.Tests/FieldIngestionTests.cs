using System.Text.Json;
using Azure.Storage.Blobs;
using FunctionsPipeline.Contracts;
using FunctionsPipeline.Datasets.Hub;
using FunctionsPipeline.Datasets.Planning;
using FunctionsPipeline.Datasets.Storage;
using FunctionsPipeline.SampleData;
using FunctionsPipeline.Tests;
using Parquet;
using Parquet.Schema;

namespace FunctionsPipeline.Datasets.Tests;

public sealed class FieldIngestionTests(AzuriteFixture azurite) : IClassFixture<AzuriteFixture>
{
    private static readonly byte[] Picture = GarmentPainter.Jpeg(Garment.All[0], new Random(1));

    private static readonly DatasetRequest Request = new()
    {
        Repo = "a/b",
        ValidationFraction = 0.1,
        Columns = new ColumnMapping
        {
            Fields = new Dictionary<string, FieldColumn>
            {
                ["weight"] = new() { Column = "mass", Kind = FieldKind.Number, Unit = "g" },
                ["brand"] = new() { Column = "maker", Kind = FieldKind.Category },
                ["materials"] = new() { Column = "stuff", Kind = FieldKind.List },
            },
        },
    };

    private BlobContainerClient Container => azurite.Blobs.GetBlobContainerClient(Containers.Datasets);

    [Fact]
    public async Task Fields_go_from_columns_to_manifests_shards_catalog_and_report()
    {
        var (dataset, report) = await IngestAsync(
            ("250 g", 0, "wool; silk | \"fine\", cotton"),
            ("250 g", 0, "wool; silk | \"fine\", cotton"),
            ("1,250.5", 1, "wool"),
            (null, 1, " ; "),
            ("heavy", 0, "wool"),
            (null, -1, null));

        string[] lists = ["wool; silk; \"fine\", cotton", "wool"];
        Assert.Equal(
        [
            (RowState.Stored, null, "250", "Acme", lists[0]), (RowState.Stored, null, "250", "Acme", lists[0]),
            (RowState.Stored, null, "1250.5", "Bolt", lists[1]), (RowState.Stored, null, null, "Bolt", null),
            (RowState.Rejected, Rejection.BadNumber, null, "Acme", lists[1]), (RowState.Rejected, Rejection.NoLabel, null, null, null),
        ], (await RowsAsync(dataset.Blobs)).Select(
            row => (row.State, row.Reason, Text(row, "weight"), Text(row, "brand"), Text(row, "materials"))));
        Assert.Equal((3, 1, 2), (report.Counts.Stored, report.Counts.Duplicates, report.Counts.Rejected));

        var summaries = report.Fields!;
        Assert.Equal(["weight", "brand", "materials"], summaries.Keys);
        Assert.Equal(("g", 2, 750.25), (summaries["weight"].Unit, summaries["weight"].Samples, summaries["weight"].Numbers!.Mean));
        Assert.Equal(new Dictionary<string, long> { ["Bolt"] = 2, ["Acme"] = 1 }, summaries["brand"].Values);
        Assert.Equal((2, 4), (summaries["materials"].Samples, summaries["materials"].Values!.Values.Sum()));
        Assert.Equal((3, null), (summaries["materials"].ValueCount, summaries["weight"].ValueCount));

        var shards = JsonSerializer.Deserialize<List<ShardInfo>>(await TextAsync(dataset.Blobs.ShardList), PipelineJson.Options)!;
        var samples = new List<SampleLabels>();
        foreach (var shard in shards)
        {
            samples.AddRange((await TextAsync(DatasetBlobs.ShardIndex(shard.Blob))).Split('\n', StringSplitOptions.RemoveEmptyEntries)
                .Select(line => JsonSerializer.Deserialize<ShardSample>(line, PipelineJson.Compact)!.Labels));
        }
        Assert.Equal(["250 Acme", "1250.5 Bolt", " Bolt"],
            samples.OrderBy(sample => sample.Key).Select(sample => $"{Text(sample, "weight")} {Text(sample, "brand")}"));

        await CheckCatalogAsync(dataset.Blobs);
    }

    [Fact]
    public async Task What_decides_the_result_is_part_of_the_view()
    {
        var views = new List<string>();
        foreach (var request in (DatasetRequest[])[Request, Request with { Images = ImageUse.Samples }, Request with { MaxImages = 2 },
            Request with { Columns = Request.Columns! with { Title = "maker" } },
            Request with { Columns = new ColumnMapping { Fields = Request.Columns!.Fields!.Take(2).ToDictionary() } }])
        {
            using var ingestion = await OpenAsync(("1", 0, null));
            views.Add((await ingestion.ResolveAsync(request)).Blobs.View);
        }
        Assert.Equal(views.Count, views.Distinct().Count());
    }

    [Fact]
    public void Values_are_counted_exactly_up_to_a_bound_and_frequent_ones_beyond_it()
    {
        var counter = new ValueCounter();
        for (var i = 0; i < 100_000; i++)
        {
            counter.Add($"{new string('x', 99)}{(char)('a' + (i % 3))} and so on {i}");
            counter.Add($"unique {i}");
        }
        var counts = counter.Result;
        var top = counts.Top(3);
        Assert.Equal(["a…", "b…", "c…"], top.Keys.Select(key => key[99..]).Order());
        Assert.All(top.Values, count => Assert.InRange(count, 33_333, 33_334));
        Assert.Equal((10_000, false), (counts.Counts.Count, counts.AreAll));
    }

    // The prefix keeps fields apart from the catalog's own columns.
    private async Task CheckCatalogAsync(DatasetBlobs dataset)
    {
        var lines = (await TextAsync(dataset.CatalogCsv)).Split("\r\n");
        Assert.EndsWith(",title,category,price,field_weight,field_brand,field_materials", lines[0], StringComparison.Ordinal);
        Assert.EndsWith(",,,,250,Acme,\"wool; silk; \"\"fine\"\", cotton\"", lines[1], StringComparison.Ordinal);
        var parquet = (await Container.GetBlobClient(dataset.CatalogParquet).DownloadContentAsync()).Value.Content.ToStream();
        await using var reader = await ParquetReader.CreateAsync(parquet);
        using var group = reader.OpenRowGroupReader(0);
        var weights = new double?[group.RowCount];
        await group.ReadAsync<double>(reader.Schema.GetDataFields().Single(f => f.Name == "field_weight"), weights.AsMemory());
        Assert.Equal([250, 250, 1250.5, null, null, null], weights);
    }

    private async Task<DatasetIngestion> OpenAsync(params (string? Mass, long Maker, string? Stuff)[] rows)
    {
        await Container.CreateIfNotExistsAsync();
        var client = new HubClient(new HttpClient(new OneFileHub(await ParquetAsync(rows))), new HubOptions());
        return new DatasetIngestion(client, azurite.Blobs);
    }

    private async Task<(ResolvedDataset, IngestReport)> IngestAsync(params (string? Mass, long Maker, string? Stuff)[] rows)
    {
        using var ingestion = await OpenAsync(rows);
        var dataset = await ingestion.ResolveAsync(Request);
        await ingestion.FetchFileAsync(dataset.Blobs, 0);
        await ingestion.IngestUnitAsync(dataset.Blobs, 0);
        await ingestion.WriteCatalogAsync(dataset.Blobs);
        await ingestion.PreprocessAsync(dataset.Blobs, 0);
        return (dataset, await ingestion.WriteReportAsync(dataset.Blobs, seconds: 1));
    }

    private async Task<IEnumerable<ManifestRow>> RowsAsync(DatasetBlobs dataset) =>
        (await TextAsync(dataset.Manifest("train", 0))).Split('\n', StringSplitOptions.RemoveEmptyEntries)
            .Select(line => JsonSerializer.Deserialize<ManifestRow>(line, PipelineJson.Compact)!);

    private async Task<string> TextAsync(string blob) =>
        (await Container.GetBlobClient(blob).DownloadContentAsync()).Value.Content.ToString();

    private static string? Text(ILabels labels, string field) => labels.ValueOf(field)?.ToString();

    private static async Task<byte[]> ParquetAsync((string? Mass, long Maker, string? Stuff)[] rows)
    {
        var (image, mass, maker, stuff) = (new DataField<byte[]>("image"), new DataField<string>("mass"),
            new DataField<long>("maker", true), new DataField<string>("stuff"));
        using var file = new MemoryStream();
        await using (var writer = await ParquetWriter.CreateAsync(new ParquetSchema(image, mass, maker, stuff), file))
        {
            writer.CustomMetadata = new Dictionary<string, string>
            {
                ["huggingface"] = """{"info":{"features":{"maker":{"names":["Acme","Bolt"],"_type":"ClassLabel"}}}}""",
            };
            using var group = writer.CreateRowGroup();
            await group.WriteAsync(image, rows.Select(_ => (byte[]?)Picture).ToArray());
            await group.WriteAsync(mass, rows.Select(r => r.Mass).ToArray());
            await group.WriteAsync<long>(maker, rows.Select(r => (long?)r.Maker).ToArray());
            await group.WriteAsync(stuff, rows.Select(r => r.Stuff).ToArray());
            group.CompleteValidate();
        }
        return file.ToArray();
    }
}
