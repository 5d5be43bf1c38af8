using System.Formats.Tar;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Azure.Storage.Blobs;
using FunctionsPipeline.Contracts;
using FunctionsPipeline.Datasets.Hub;
using FunctionsPipeline.Datasets.Tests.Fetching;
using FunctionsPipeline.Images;
using FunctionsPipeline.SampleData;
using FunctionsPipeline.Tests;
using Microsoft.AspNetCore.Http;
using Parquet;
using Parquet.Schema;

namespace FunctionsPipeline.Datasets.Tests;

/// <summary>A column with lists of URLs, and rows that repeat a product.</summary>
public sealed class SeveralImagesTests(AzuriteFixture azurite) : IClassFixture<AzuriteFixture>
{
    private static readonly DatasetRequest Request = new()
    {
        Repo = "a/b",
        Columns = new ColumnMapping { Image = "images", Title = "title", Product = "product" },
        ValidationFraction = 0,
        TestFraction = 0,
    };

    // Path, text and product of each row. /404 is missing, and the last row repeats the first.
    private static readonly (string[] Images, string Title, string? Product)[] Rows =
    [
        (["/1", "/2", "/3"], "Coat", "p1"),
        (["/404", "/4", "/4", "/page"], "Hat", "p2"),
        (["/404", "/page"], "Bag", "p3"),
        (["/2", "/5"], "Coat, from behind", "p1"),
        (["/6"], "Shoe", null),
        (["/7"], "Boot", null),
        ([], "Nothing", "p1"),
        (["/1", "/2", "/3"], "Coat", "p1"),
    ];

    [Fact]
    public async Task The_first_image_is_used_unless_the_request_says_otherwise()
    {
        var (report, rows, samples) = await IngestAsync(Request);

        Assert.Equal((8, 4, 1, 3), (report.Counts.Rows, report.Counts.Stored, report.Counts.Duplicates, report.Counts.Rejected));
        Assert.Equal(["train-0", "train-3", "train-4", "train-5"], samples.Select(sample => sample.Labels.Key));
        Assert.All(samples, sample => Assert.Null(sample.MoreImages));
        Assert.All(rows, row => Assert.Null(row.MoreImages));
        Assert.Equal((Rejection.NotFound, Rejection.NotFound), (rows[1].Reason, rows[2].Reason));
    }

    [Fact]
    public async Task Every_image_may_be_a_sample()
    {
        var (report, rows, samples) = await IngestAsync(Request with { Images = ImageUse.Samples });

        Assert.Equal(["train-0", "train-0-1", "train-0-2", "train-1", "train-3", "train-3-1", "train-4", "train-5"],
            samples.Select(sample => sample.Labels.Key));
        Assert.Equal(["Coat", "Coat", "Coat", "Hat"], samples.Take(4).Select(sample => sample.Labels.Title));
        Assert.Equal(rows[0].Images.Select(image => image.Sha256), samples.Take(3).Select(sample => sample.Labels.Sha256));
        Assert.Equal((5, 8, 0), (report.Counts.Stored, report.Splits["train"], report.MergedRows));
        Assert.Equal(report.Counts.Bytes,
            rows.Where(row => row.State == RowState.Stored).Sum(row => row.Bytes + (row.MoreImages?.Sum(more => more.Bytes) ?? 0)));
    }

    [Fact]
    public async Task A_row_is_usable_with_the_images_that_can_be_had_and_says_which_cannot()
    {
        var (_, rows, _) = await IngestAsync(Request with { Images = ImageUse.Samples, MaxImages = 8 });

        Assert.Equal((RowState.Stored, null), (rows[1].State, rows[1].Reason));
        Assert.StartsWith("image 1: not-found: ", rows[1].Detail);
        Assert.Contains("; image 4: not-an-image: ", rows[1].Detail);
        Assert.EndsWith("/4", rows[1].ImageUrl);
        // The list has /4 twice.
        Assert.Null(rows[1].MoreImages);
        Assert.Null(rows[0].Detail);
        Assert.Equal((RowState.Rejected, Rejection.NotFound), (rows[2].State, rows[2].Reason));
        Assert.Equal((RowState.Rejected, Rejection.NoImage), (rows[6].State, rows[6].Reason));
        Assert.Equal(RowState.Duplicate, rows[7].State);
    }

    [Fact]
    public async Task A_prompt_has_all_images_of_a_product()
    {
        var (report, _, samples) = await IngestAsync(Request with { Images = ImageUse.Prompt, MaxImages = 4 });

        Assert.Equal(["train-0", "train-1", "train-4", "train-5"], samples.Select(sample => sample.Labels.Key));
        // Images 1, 2 and 3 of row 0, and 5 of row 3, whose other image is 2.
        Assert.Equal([4, 1, 1, 1], samples.Select(sample => 1 + (sample.MoreImages?.Count ?? 0)));
        Assert.Equal("Coat", samples[0].Labels.Title);
        Assert.Equal((5, 1), (report.Counts.Stored, report.MergedRows));
        Assert.Equal(report.Counts.Stored - report.MergedRows, report.Splits.Values.Sum());
    }

    [Fact]
    public async Task A_prompt_has_no_more_images_than_are_wanted()
    {
        var (_, rows, samples) = await IngestAsync(Request with { Images = ImageUse.Prompt, MaxImages = 2 });

        Assert.Equal([2, 1, 1, 1], samples.Select(sample => 1 + (sample.MoreImages?.Count ?? 0)));
        Assert.Equal(2, rows[0].Images.Count);
    }

    private async Task<(IngestReport Report, List<ManifestRow> Rows, List<ShardSample> Samples)> IngestAsync(
        DatasetRequest request)
    {
        await using var server = await ImageServer.StartAsync(AnswerAsync);
        foreach (var container in Containers.All) await azurite.Blobs.GetBlobContainerClient(container).CreateIfNotExistsAsync();
        var client = new HubClient(new HttpClient(new OneFileHub(await FileAsync(server))), new HubOptions());
        using var ingestion = new DatasetIngestion(client, azurite.Blobs, server.Allowing(new IngestionOptions()));
        var dataset = await ingestion.ResolveAsync(request);
        await ingestion.FetchFileAsync(dataset.Blobs, 0);
        await ingestion.IngestUnitAsync(dataset.Blobs, 0);
        await ingestion.WriteCatalogAsync(dataset.Blobs);
        await ingestion.PreprocessAsync(dataset.Blobs, 0);
        var report = await ingestion.WriteReportAsync(dataset.Blobs, seconds: 1);
        var blobs = azurite.Blobs.GetBlobContainerClient(Containers.Datasets);
        var page = await new StoredDatasets(azurite.Blobs).RowsAsync(dataset.Blobs, new RowFilter(), 100, null, default);
        var shard = Assert.Single(await ingestion.ReadShardsAsync(dataset.Blobs));
        var samples = (await TextAsync(blobs, DatasetBlobs.ShardIndex(shard.Blob))).Split('\n', StringSplitOptions.RemoveEmptyEntries)
            .Select(line => JsonSerializer.Deserialize<ShardSample>(line, PipelineJson.Compact)!).ToList();
        Assert.Equal(shard.Samples, samples.Count);
        AssertTarHolds(samples, (await blobs.GetBlobClient(shard.Blob).DownloadContentAsync()).Value.Content.ToArray());
        Assert.Equal(page!.Rows.Select(row => (long)row.Images.Count), await CatalogAsync(blobs, dataset.Blobs.CatalogParquet));
        return (report, [.. page.Rows], samples);
    }

    // A sample's entries follow each other, images before labels, and the index says where the images are.
    private static void AssertTarHolds(List<ShardSample> samples, byte[] tar)
    {
        var expected = samples.SelectMany(sample => (string[])
        [
            $"{sample.Labels.Key}.jpg", .. (sample.MoreImages ?? []).Select((_, i) => $"{sample.Labels.Key}.{i + 1}.jpg"),
            $"{sample.Labels.Key}.json",
        ]);
        var names = new List<string>();
        using var reader = new TarReader(new MemoryStream(tar));
        while (reader.GetNextEntry() is { } entry) names.Add(entry.Name);
        Assert.Equal(expected, names);
        foreach (var sample in samples)
        {
            var first = new ShardImage(sample.Labels.Sha256, sample.Width, sample.Height, sample.Offset, sample.Length);
            foreach (var image in (ShardImage[])[first, .. sample.MoreImages ?? []])
            {
                var bytes = tar.AsMemory((int)image.Offset, image.Length);
                var header = ImageReader.Identify(bytes);
                Assert.Equal((image.Width, image.Height), (header.Width, header.Height));
                Assert.Equal(image.Sha256, Convert.ToHexStringLower(SHA256.HashData(bytes.Span)));
            }
        }
    }

    private static async Task<List<long>> CatalogAsync(BlobContainerClient container, string blob)
    {
        using var file = new MemoryStream();
        await container.GetBlobClient(blob).DownloadToAsync(file);
        await using var reader = await ParquetReader.CreateAsync(file);
        using var group = reader.OpenRowGroupReader(0);
        var images = new long[group.RowCount];
        await group.ReadAsync<long>(reader.Schema.GetDataFields().Single(field => field.Name == "images"), images);
        return [.. images];
    }

    private static async Task<string> TextAsync(BlobContainerClient container, string blob) =>
        (await container.GetBlobClient(blob).DownloadContentAsync()).Value.Content.ToString();

    private static async Task<byte[]> FileAsync(ImageServer server)
    {
        var url = new DataField<string>("element");
        var schema = new ParquetSchema(
            new ListField("images", url), new DataField<string>("title"), new DataField<string>("product"));
        using var file = new MemoryStream();
        await using (var writer = await ParquetWriter.CreateAsync(schema, file))
        {
            using var group = writer.CreateRowGroup();
            // An empty list is written as a list of null.
            var lists = Rows.Select(row => row.Images.Length == 0 ? [null] : row.Images.Select(path => server.Url(path)).ToArray<string?>())
                .ToList();
            await group.WriteAsync(schema.DataFields[0], lists.SelectMany(list => list).ToArray(),
                lists.SelectMany(list => list.Select((_, i) => Math.Min(i, 1))).ToArray());
            await group.WriteAsync(schema.DataFields[1], Rows.Select(row => row.Title).ToArray());
            await group.WriteAsync(schema.DataFields[2], Rows.Select(row => row.Product).ToArray());
            group.CompleteValidate();
        }
        return file.ToArray();
    }

    private static Task AnswerAsync(HttpContext context, int number)
    {
        var path = context.Request.Path.Value![1..];
        if (path == "404") context.Response.StatusCode = 404;
        var content = path == "page" ? Encoding.UTF8.GetBytes("<html>") : path == "404" ? []
            : GarmentPainter.Jpeg(Garment.All[path[0] - '0'], new Random(path[0]));
        return context.Response.Body.WriteAsync(content).AsTask();
    }
}
