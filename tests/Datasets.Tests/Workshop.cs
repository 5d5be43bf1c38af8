using Azure.Storage.Blobs;
using FunctionsPipeline.Contracts;
using FunctionsPipeline.Datasets;
using FunctionsPipeline.SampleData;

namespace FunctionsPipeline.Tests.Datasets;

/// <summary>Everything one ingestion needs: a hub, containers of its own, and the classes under test.</summary>
internal sealed class Workshop : IAsyncDisposable
{
    private Workshop(SampleHub hub, BlobServiceClient blobs, IngestionOptions options)
    {
        Hub = hub;
        Blobs = blobs;
        Client = new HubClient(HubClient.CreateHttpClient(),
            new HubOptions { Endpoint = hub.Address, FirstDelay = TimeSpan.FromMilliseconds(1) });
        Ingestion = new DatasetIngestion(Client, blobs, options with { AllowedHosts = [hub.Address.Authority, .. options.AllowedHosts] });
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

    public static async Task<Workshop> OpenAsync(AzuriteFixture azurite, HubServerOptions hub, IngestionOptions? options = null)
    {
        foreach (var name in Containers.All) await azurite.Blobs.GetBlobContainerClient(name).CreateIfNotExistsAsync();
        return new Workshop(await SampleHub.StartAsync(hub), azurite.Blobs, options ?? new IngestionOptions { UnitRows = 60 });
    }

    /// <summary>Runs all activities in the order that the orchestrator does.</summary>
    public async Task<(ResolvedDataset Dataset, IngestReport Report)> IngestAsync(DatasetRequest request)
    {
        var dataset = await Ingestion.ResolveAsync(request);
        var shards = new List<ShardInfo>();
        foreach (var unit in dataset.Units) await Ingestion.IngestUnitAsync(dataset, unit);
        foreach (var unit in dataset.Units) shards.AddRange(await Ingestion.PreprocessUnitAsync(dataset, unit));
        return (dataset, await Ingestion.WriteCatalogAsync(dataset, shards, seconds: 1.5));
    }

    public async Task<List<ManifestRow>> ManifestAsync(ResolvedDataset dataset)
    {
        var rows = new List<ManifestRow>();
        foreach (var unit in dataset.Units)
        {
            var lines = (await Container.GetBlobClient(dataset.Blobs.Manifest(unit.Split, unit.Number)).DownloadContentAsync())
                .Value.Content.ToString();
            rows.AddRange(lines.Split('\n', StringSplitOptions.RemoveEmptyEntries)
                .Select(line => System.Text.Json.JsonSerializer.Deserialize<ManifestRow>(line, PipelineJson.Compact)!));
        }
        return rows;
    }

    public ValueTask DisposeAsync()
    {
        Ingestion.Dispose();
        return Hub.DisposeAsync();
    }
}
