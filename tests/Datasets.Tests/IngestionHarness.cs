using System.Text.Json;
using Azure.Storage.Blobs;
using FunctionsPipeline.Contracts;
using FunctionsPipeline.Datasets.Hub;
using FunctionsPipeline.Datasets.Planning;
using FunctionsPipeline.SampleData;
using FunctionsPipeline.Tests;

namespace FunctionsPipeline.Datasets.Tests;

/// <summary>Runs one ingestion under test: a sample hub, the containers, and the classes under test.</summary>
internal sealed class IngestionHarness : IAsyncDisposable
{
    private readonly IngestionOptions _options;

    private IngestionHarness(SampleHub hub, BlobServiceClient blobs, IngestionOptions options)
    {
        Hub = hub;
        Blobs = blobs;
        Client = new HubClient(HubClient.CreateHttpClient(),
            new HubOptions { Endpoint = hub.Url, FirstDelay = TimeSpan.FromMilliseconds(1) });
        _options = options with { AllowedHosts = [hub.Url.Authority, .. options.AllowedHosts] };
        Ingestion = Restarted();
    }

    public SampleHub Hub { get; }

    public BlobServiceClient Blobs { get; }

    public HubClient Client { get; }

    public DatasetIngestion Ingestion { get; }

    public BlobContainerClient Container => Blobs.GetBlobContainerClient(Containers.Datasets);

    public static DatasetRequest Garments { get; } = new()
    {
        Repo = GarmentsDataset.Id,
        Columns = new ColumnMapping { Image = "imageurl", Title = "title", Category = "category3_code", Price = "full_price" },
    };

    public static async Task<IngestionHarness> OpenAsync(AzuriteFixture azurite, HubServerOptions hub, IngestionOptions? options = null)
    {
        foreach (var name in Containers.All) await azurite.Blobs.GetBlobContainerClient(name).CreateIfNotExistsAsync();
        return new IngestionHarness(await SampleHub.StartAsync(hub), azurite.Blobs, options ?? new IngestionOptions { UnitRows = 60 });
    }

    /// <summary>Runs all activities in the order that the orchestrators do.</summary>
    public async Task<(ResolvedDataset Dataset, IngestReport Report)> IngestAsync(DatasetRequest request)
    {
        await ConvertAsync(Ingestion, request);
        var dataset = await Ingestion.ResolveAsync(request);
        if (dataset.Report is { } there) return (dataset, there);
        return (dataset, await CarryOutAsync(dataset));
    }

    /// <summary>Runs all activities before a dataset is resolved.</summary>
    public static async Task ConvertAsync(DatasetIngestion ingestion, DatasetRequest request)
    {
        var tables = await ingestion.FindTablesAsync(request);
        for (var table = 0; table < tables.Count; table++) await ingestion.ConvertTableAsync(tables.Dataset, table);
    }

    /// <summary>Runs all activities after a dataset has been resolved, also when it is complete already.</summary>
    public async Task<IngestReport> CarryOutAsync(ResolvedDataset dataset, DatasetIngestion? with = null)
    {
        var ingestion = with ?? Ingestion;
        for (var file = 0; file < dataset.Files; file++)
        {
            var units = await FetchAsync(ingestion, dataset, file);
            for (var unit = units.First; unit < units.First + units.Count; unit++)
                await ingestion.IngestUnitAsync(dataset.Blobs, unit);
        }
        await ingestion.WriteCatalogAsync(dataset.Blobs);
        for (var shard = 0; shard < dataset.Shards; shard++) await ingestion.PreprocessAsync(dataset.Blobs, shard);
        return await ingestion.WriteReportAsync(dataset.Blobs, seconds: 1.5);
    }

    /// <summary>Ingestion with nothing in memory, as in a process that has just started.</summary>
    public DatasetIngestion Restarted() => new(Client, Blobs, _options);

    /// <summary>Requests that the hub answered with the content of files and images.</summary>
    public IEnumerable<ServedRequest> Downloads =>
        Hub.Requests.Where(request => request.Status is 200 or 206 && !request.Path.StartsWith("/api/", StringComparison.Ordinal));

    /// <summary>Paths of the images that the hub served, in the order of the requests.</summary>
    public IEnumerable<string> ImagePaths =>
        Downloads.Select(request => request.Path).Where(path => path.StartsWith("/pictures/", StringComparison.Ordinal));

    public Task<IngestPlan> PlanAsync(ResolvedDataset dataset) => JsonAsync<IngestPlan>(dataset.Blobs.Plan);

    /// <summary>Changes a plan that has been stored but not carried out.</summary>
    public async Task ReplanAsync(DatasetBlobs dataset, Func<IngestPlan, IngestPlan> change) =>
        await Container.GetBlobClient(dataset.Plan).UploadAsync(BinaryData.FromObjectAsJson(
            change(await JsonAsync<IngestPlan>(dataset.Plan)), PipelineJson.Compact), overwrite: true);

    public async Task<List<IngestUnit>> UnitsAsync(DatasetBlobs dataset)
    {
        var plans = new PlanStore(Container);
        return await plans.UnitsAsync(await plans.ReadAsync(dataset, default), 0, int.MaxValue, default).ToListAsync();
    }

    public async Task<List<PlannedFile>> FilesAsync(DatasetBlobs dataset)
    {
        var plans = new PlanStore(Container);
        return await plans.FilesAsync(await plans.ReadAsync(dataset, default), default).ToListAsync();
    }

    /// <summary>Every row of a dataset that was ingested, with its state in the complete dataset.</summary>
    public async Task<List<ManifestRow>> RowsAsync(ResolvedDataset dataset)
    {
        var rows = new List<ManifestRow>();
        foreach (var unit in await UnitsAsync(dataset.Blobs))
        {
            var repeated = dataset.Blobs.Duplicates(unit.Split, unit.Number);
            HashSet<long> duplicates =
                await Container.GetBlobClient(repeated).ExistsAsync() ? await JsonAsync<HashSet<long>>(repeated) : [];
            rows.AddRange(
                (await TextAsync(dataset.Blobs.Manifest(unit.Split, unit.Number))).Split('\n', StringSplitOptions.RemoveEmptyEntries)
                    .Select(line => JsonSerializer.Deserialize<ManifestRow>(line, PipelineJson.Compact)!)
                    .Select(row => duplicates.Contains(row.Row) ? row with { State = RowState.Duplicate } : row));
        }
        return rows;
    }

    // Of two that fetch the same file, one is asked to come again.
    private static async Task<FileUnits> FetchAsync(DatasetIngestion ingestion, ResolvedDataset dataset, int file)
    {
        for (var attempt = 1; ; attempt++)
        {
            try
            {
                return await ingestion.FetchFileAsync(dataset.Blobs, file);
            }
            catch (HubException e) when (e.IsTransient && attempt < 20)
            {
                await Task.Delay(100);
            }
        }
    }

    public async Task<string> TextAsync(string blob) =>
        (await Container.GetBlobClient(blob).DownloadContentAsync()).Value.Content.ToString();

    private async Task<T> JsonAsync<T>(string blob) => JsonSerializer.Deserialize<T>(await TextAsync(blob), PipelineJson.Options)!;

    public ValueTask DisposeAsync()
    {
        Ingestion.Dispose();
        return Hub.DisposeAsync();
    }
}
