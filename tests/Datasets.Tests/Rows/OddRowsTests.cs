using FunctionsPipeline.Contracts;
using FunctionsPipeline.Datasets.Hub;
using FunctionsPipeline.SampleData;
using FunctionsPipeline.Tests;
using Parquet;
using Parquet.Schema;

namespace FunctionsPipeline.Datasets.Tests.Rows;

public sealed class OddRowsTests(AzuriteFixture azurite) : IClassFixture<AzuriteFixture>
{
    private static readonly byte[] Picture = GarmentPainter.Jpeg(Garment.All[0], new Random(1));

    [Fact]
    public async Task Rows_that_cannot_be_used_say_why_and_missing_values_are_no_values()
    {
        var rows = await IngestAsync(
            (Picture, "Red Coat", 0, 12.5f),
            (Picture, "Red Coat", 0, 12.5f),
            (Picture, "Red Coat", 0, 13f),
            (Picture, "  ", -1, null),
            (Picture, null, 7, null),
            (Picture, null, null, 5f),
            (Picture, "Red Coat", 1, float.NaN),
            (Picture, "Red Coat", 1, -1f),
            (null, "Red Coat", 1, 1f),
            ([], "Red Coat", 1, 1f));

        Assert.Equal(
        [
            (RowState.Stored, null, "Red Coat", "coat", 12.5),
            (RowState.Stored, null, "Red Coat", "coat", 12.5),
            (RowState.Stored, null, "Red Coat", "coat", 13),
            (RowState.Rejected, Rejection.NoLabel, null, null, null),
            (RowState.Rejected, Rejection.NoLabel, null, null, null),
            (RowState.Stored, null, null, null, 5),
            (RowState.Rejected, Rejection.BadPrice, "Red Coat", "hat", null),
            (RowState.Rejected, Rejection.BadPrice, "Red Coat", "hat", -1),
            (RowState.Rejected, Rejection.NoImage, "Red Coat", "hat", 1),
            (RowState.Rejected, Rejection.Empty, "Red Coat", "hat", 1),
        ], rows.Select(r => (r.State, r.Reason, r.Title, r.Category, r.Price)));
    }

    [Fact]
    public async Task Rows_of_a_damaged_row_group_are_recorded_with_the_place_and_the_rest_goes_on()
    {
        var group = new (byte[]?, string?, long?, float?)[] { (Picture, "Red Coat", 0, 1f), (Picture, "Red Coat", 1, 2f) };
        var file = await ParquetAsync(group, group, group);
        await using (var reader = await ParquetReader.CreateAsync(new MemoryStream(file)))
        {
            var damaged = reader.Metadata!.RowGroups[1].Columns[^1].MetaData!;
            file.AsSpan((int)damaged.DataPageOffset, 8).Fill(0xFF);
        }

        var rows = await IngestAsync(file);

        Assert.Equal([null, null, Rejection.UnreadableRow, Rejection.UnreadableRow, null, null], rows.Select(row => row.Reason));
        Assert.All(rows.Where(row => row.Reason is not null), row =>
            Assert.Contains("row group 1, column cost", row.Detail, StringComparison.Ordinal));
        Assert.Equal(Enumerable.Range(0, 6).Select(row => (long)row), rows.Select(row => row.Row));
    }

    private async Task<List<ManifestRow>> IngestAsync(params (byte[]? Image, string? Title, long? Category, float? Price)[] rows) =>
        await IngestAsync(await ParquetAsync(rows));

    private async Task<List<ManifestRow>> IngestAsync(byte[] file)
    {
        await azurite.Blobs.GetBlobContainerClient(Containers.Datasets).CreateIfNotExistsAsync();
        var client = new HubClient(new HttpClient(new OneFileHub(file)), new HubOptions());
        using var ingestion = new DatasetIngestion(client, azurite.Blobs);
        var dataset = await ingestion.ResolveAsync(new DatasetRequest
        {
            Repo = "a/b",
            Columns = new ColumnMapping { Image = "image", Title = "name", Category = "label", Price = "cost" },
        });
        await ingestion.FetchFileAsync(dataset.Blobs, 0);
        await ingestion.IngestUnitAsync(dataset.Blobs, 0);
        var manifest = azurite.Blobs.GetBlobContainerClient(Containers.Datasets).GetBlobClient(dataset.Blobs.Manifest("train", 0));
        return [.. (await manifest.DownloadContentAsync()).Value.Content.ToString().Split('\n', StringSplitOptions.RemoveEmptyEntries)
            .Select(line => System.Text.Json.JsonSerializer.Deserialize<ManifestRow>(line, PipelineJson.Compact)!)];
    }

    /// <param name="groups">The rows of each row group.</param>
    private static async Task<byte[]> ParquetAsync(params (byte[]? Image, string? Title, long? Category, float? Price)[][] groups)
    {
        var (bytes, path, name, label, cost) = (new DataField<byte[]>("bytes"), new DataField<string>("path"),
            new DataField<string>("name"),
            new DataField<long>("label", true), new DataField<float>("cost", true));
        using var file = new MemoryStream();
        await using (var writer = await ParquetWriter.CreateAsync(
            new ParquetSchema(new StructField("image", bytes, path), name, label, cost), file))
        {
            writer.CustomMetadata = new Dictionary<string, string>
            {
                ["huggingface"] = """{"info":{"features":{"label":{"names":["coat","hat"],"_type":"ClassLabel"}}}}""",
            };
            foreach (var rows in groups)
            {
                using var group = writer.CreateRowGroup();
                await group.WriteAsync(bytes, rows.Select(r => r.Image).ToArray());
                await group.WriteAsync(path, rows.Select(_ => (string?)null).ToArray());
                await group.WriteAsync(name, rows.Select(r => r.Title).ToArray());
                await group.WriteAsync<long>(label, rows.Select(r => r.Category).ToArray());
                await group.WriteAsync<float>(cost, rows.Select(r => r.Price).ToArray());
                group.CompleteValidate();
            }
        }
        return file.ToArray();
    }
}
