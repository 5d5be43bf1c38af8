using System.Text.Json;
using Azure.Storage.Blobs;
using Azure.Storage.Blobs.Models;
using FunctionsPipeline.Contracts;
using FunctionsPipeline.Datasets.Hub;
using FunctionsPipeline.Datasets.Tests.Fetching;
using FunctionsPipeline.Datasets.Tests.Sources;
using FunctionsPipeline.SampleData;
using FunctionsPipeline.Tests;
using Microsoft.AspNetCore.Http;
using Parquet;
using Parquet.Schema;

namespace FunctionsPipeline.Datasets.Tests;

/// <summary>
/// Tests of a second chance for rejected rows. Of ten rows in units of three, the images of rows 1 and 8 do not exist at first, that of row
/// 2 cannot be had, and that of row 4 is a page.
/// </summary>
public sealed class RetryTests(AzuriteFixture azurite) : IClassFixture<AzuriteFixture>, IAsyncLifetime
{
    private const int Rows = 10;

    private static readonly DatasetRequest Request = new()
    {
        Repo = "a/b", Columns = new ColumnMapping { Image = "url", Title = "name" }, ValidationFraction = 0.3,
    };

    private readonly HashSet<string> _healed = [];
    private ImageServer _server = null!;
    private DatasetIngestion _ingestion = null!;

    public async Task InitializeAsync()
    {
        await Container.CreateIfNotExistsAsync();
        _server = await ImageServer.StartAsync((context, _) => AnswerAsync(context));
        _ingestion = new DatasetIngestion(
            new HubClient(new HttpClient(new OneFileHub(await ParquetAsync())), new HubOptions()), azurite.Blobs,
            _server.Allowing(new IngestionOptions { UnitRows = 3, DownloadAttempts = 1 }));
    }

    public async Task DisposeAsync()
    {
        _ingestion.Dispose();
        await _server.DisposeAsync();
    }

    [Fact]
    public async Task Rows_that_time_can_heal_are_read_again_in_a_view_of_their_own()
    {
        var old = await IngestAsync(Request);
        Assert.Equal(
            new Dictionary<string, long> { ["download-failed"] = 1, ["not-an-image"] = 1, ["not-found"] = 2 }, old.Counts.RejectedBy);
        var before = await BlobsAsync();
        var asked = _server.Requests.Count;
        _healed.UnionWith(["/1", "/2", "/4"]);

        var request = await _ingestion.RetryAsync(Blobs(old), Rejection.Passing);
        var healed = await IngestAsync(request);

        Assert.Equal(["/1", "/2", "/8"], _server.Requests.Skip(asked).Order());
        Assert.NotEqual(old.View, healed.View);
        Assert.Equal((old.Commit, healed.View), (request.Revision, request.View));
        Assert.Equal((old.View, 3), (healed.Retry!.View, healed.Retry.Rows));
        Assert.Equal(Rejection.Passing.Order(), healed.Retry.Reasons);
        Assert.Equal(new Dictionary<string, long> { ["download-failed"] = 1, ["not-found"] = 1 }, healed.Retry.Healed);
        Assert.Equal((8, 2, Rows), (healed.Counts.Stored, healed.Counts.Rejected, healed.Counts.Rows));
        Assert.Null(old.Retry);

        var (oldRows, rows) = (await RowsAsync(old), await RowsAsync(healed));
        Assert.Equal(Enumerable.Range(0, Rows), rows.Select(row => (int)row.Row));
        Assert.Equal([1, 2], rows.Zip(oldRows).Where(pair => pair.First.State != pair.Second.State).Select(pair => (int)pair.First.Row));
        Assert.Equal([(4, "not-an-image"), (8, "not-found")],
            rows.Where(row => row.Reason is not null).Select(row => ((int)row.Row, row.Reason)));
        Assert.Equal(8, (await _ingestion.ReadShardsAsync(Blobs(healed))).Sum(shard => shard.Samples));
        // Nothing of what was stored is touched.
        Assert.Subset((await BlobsAsync()).ToHashSet(), before.ToHashSet());
    }

    [Fact]
    public async Task A_retry_in_progress_is_joined_and_a_further_one_makes_a_further_view()
    {
        var old = await IngestAsync(Request with { TestFraction = 0.2 });
        var first = await _ingestion.RetryAsync(Blobs(old), [Rejection.NotFound]);
        Assert.Equal(first, await _ingestion.RetryAsync(Blobs(old), [Rejection.NotFound, Rejection.NotFound]));
        var broken = await IngestAsync(first);
        Assert.Empty(broken.Retry!.Healed);

        _healed.UnionWith(["/1", "/2", "/4", "/8"]);
        var second = await _ingestion.RetryAsync(Blobs(old), [Rejection.NotFound]);
        Assert.NotEqual(first.View, second.View);
        Assert.Equal(2, (await IngestAsync(second)).Retry!.Healed[Rejection.NotFound]);
        // A retry of the retry takes its rows from there.
        var last = await IngestAsync(await _ingestion.RetryAsync(Blobs(broken), [Rejection.NotAnImage, Rejection.DownloadFailed]));
        Assert.Equal((broken.View, 8, 2), (last.Retry!.View, last.Counts.Stored, last.Counts.Rejected));
    }

    [Fact]
    public async Task Only_a_complete_view_with_such_rows_is_retried()
    {
        _healed.UnionWith(["/1", "/2", "/8"]);
        var plan = await _ingestion.ResolveAsync(Request with { TestFraction = 0.3 });
        await CheckAsync(plan.Blobs, Rejection.Passing, 409, "has not ended");
        await CheckAsync(plan.Blobs with { View = "0123456789ab" }, Rejection.Passing, 404, "no ingested dataset");
        var report = await IngestAsync(Request with { TestFraction = 0.3 });
        await CheckAsync(Blobs(report), Rejection.Passing, 409, "its rows were rejected for: not-an-image");
    }

    [Fact]
    public async Task A_request_may_name_a_view_without_asking_the_hub()
    {
        var old = await IngestAsync(Request with { TestFraction = 0.4 });
        var named = new DatasetRequest { Repo = old.Repo, Revision = old.Commit, View = old.View };
        using var offline = new DatasetIngestion(
            new HubClient(new HttpClient(new NoHub()), new HubOptions()), azurite.Blobs, new IngestionOptions());
        Assert.Equal(old.View, (await offline.ResolveAsync(named)).Report!.View);
        var (pinned, columns) = await offline.CheckAsync(named);
        Assert.Equal((named, "name"), (pinned, columns.Title));
        var e = await Assert.ThrowsAsync<RequestException>(() => offline.ResolveAsync(named with { View = "0123456789ab" }));
        Assert.Equal(("dataset.view", 404), (e.Field, e.Status));
    }

    private BlobContainerClient Container => azurite.Blobs.GetBlobContainerClient(Containers.Datasets);

    private static DatasetBlobs Blobs(IngestReport report) => new(report.Repo, report.Commit, report.View);

    [Fact]
    public async Task Files_of_a_container_that_are_there_or_repaired_now_heal_their_rows()
    {
        await using var folder = await SourceFolder.CreateAsync(azurite);
        await folder.AddTextAsync("catalog.csv", "image,title\nimages/0.png,Hat\nimages/1.png,Coat\nimages/2.png,Bag\n");
        await folder.AddImagesAsync(1);
        await folder.AddTextAsync("images/1.png", "<html>");
        var (old, _) = await folder.IngestAsync(folder.Request());
        Assert.Equal(
            new Dictionary<string, long> { [Rejection.NotAnImage] = 1, [Rejection.NotFound] = 1 }, old.Counts.RejectedBy);

        // Storage tells the time of a change in seconds.
        await Task.Delay(TimeSpan.FromSeconds(1.1));
        await folder.AddImagesAsync(3);
        var retry = await folder.Ingestion.RetryAsync(Blobs(old), [Rejection.NotAnImage, Rejection.NotFound]);
        var (healed, rows) = await folder.IngestAsync(retry);

        Assert.Equal(old.Counts.RejectedBy, healed.Retry!.Healed);
        Assert.Equal((3, 0), (healed.Counts.Stored, healed.Counts.Rejected));
        Assert.Equal(["Hat", "Coat", "Bag"], rows.Select(row => row.Title));
    }

    private async Task CheckAsync(DatasetBlobs dataset, IReadOnlyList<string> reasons, int status, string part)
    {
        var e = await Assert.ThrowsAsync<RequestException>(() => _ingestion.RetryAsync(dataset, reasons));
        Assert.Equal(status, e.Status);
        Assert.Contains(part, e.Message, StringComparison.Ordinal);
    }

    private async Task AnswerAsync(HttpContext context)
    {
        var path = context.Request.Path.Value!;
        var row = int.Parse(path[1..], System.Globalization.CultureInfo.InvariantCulture);
        if (path is "/1" or "/8" && !_healed.Contains(path)) context.Response.StatusCode = 404;
        else if (path is "/2" && !_healed.Contains(path)) context.Response.StatusCode = 403;
        else if (path is "/4" && !_healed.Contains(path)) await context.Response.WriteAsync("<html><body>Not here</body></html>");
        else await context.Response.Body.WriteAsync(GarmentPainter.Jpeg(Garment.All[row], new Random(row)));
    }

    private async Task<IngestReport> IngestAsync(DatasetRequest request)
    {
        var dataset = await _ingestion.ResolveAsync(request);
        for (var file = 0; file < dataset.Files; file++)
        {
            var units = await _ingestion.FetchFileAsync(dataset.Blobs, file);
            foreach (var unit in Enumerable.Range(units.First, units.Count)) await _ingestion.IngestUnitAsync(dataset.Blobs, unit);
        }
        await _ingestion.WriteCatalogAsync(dataset.Blobs);
        for (var shard = 0; shard < dataset.Shards; shard++) await _ingestion.PreprocessAsync(dataset.Blobs, shard);
        return await _ingestion.WriteReportAsync(dataset.Blobs, seconds: 1);
    }

    private async Task<List<ManifestRow>> RowsAsync(IngestReport report)
    {
        var rows = new List<ManifestRow>();
        await foreach (var manifest in Container.GetBlobsAsync(new GetBlobsOptions { Prefix = Blobs(report).Manifests }))
        {
            var lines = (await Container.GetBlobClient(manifest.Name).DownloadContentAsync()).Value.Content.ToString();
            rows.AddRange(lines.Split('\n', StringSplitOptions.RemoveEmptyEntries)
                .Select(line => JsonSerializer.Deserialize<ManifestRow>(line, PipelineJson.Compact)!));
        }
        return rows;
    }

    private async Task<List<string>> BlobsAsync() =>
        await Container.GetBlobsAsync(new GetBlobsOptions()).Select(blob => $"{blob.Name} {blob.Properties.ETag}").ToListAsync();

    private async Task<byte[]> ParquetAsync()
    {
        var (url, name) = (new DataField<string>("url"), new DataField<string>("name"));
        using var file = new MemoryStream();
        await using (var writer = await ParquetWriter.CreateAsync(new ParquetSchema(url, name), file))
        {
            using var group = writer.CreateRowGroup();
            await group.WriteAsync(url, Enumerable.Range(0, Rows).Select(row => (string?)_server.Url($"/{row}")).ToArray());
            await group.WriteAsync(name, Enumerable.Range(0, Rows).Select(row => (string?)$"Coat {row}").ToArray());
            group.CompleteValidate();
        }
        return file.ToArray();
    }

    private sealed class NoHub : HttpMessageHandler
    {
        protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken) =>
            throw new HttpRequestException("there is no hub");
    }
}
