using System.Text.Json;
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
        Ingestion = new DatasetIngestion(Client, blobs, options);
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

    /// <summary>Runs all activities in the order that the orchestrators do.</summary>
    public async Task<(ResolvedDataset Dataset, IngestReport Report)> IngestAsync(DatasetRequest request)
    {
        var dataset = await Ingestion.ResolveAsync(request);
        if (dataset.Report is { } there) return (dataset, there);
        return (dataset, await CarryOutAsync(dataset));
    }

    /// <summary>Runs all activities after a dataset has been resolved, also when it is whole already.</summary>
    public async Task<IngestReport> CarryOutAsync(ResolvedDataset dataset)
    {
        foreach (var file in dataset.Files)
        {
            await Ingestion.FetchFileAsync(dataset.Blobs, file.File);
            for (var unit = file.FirstUnit; unit < file.FirstUnit + file.Units; unit++) await Ingestion.IngestUnitAsync(dataset.Blobs, unit);
        }
        var summary = await Ingestion.WriteCatalogAsync(dataset.Blobs);
        for (var shard = 0; shard < dataset.Shards; shard++) await Ingestion.PreprocessAsync(dataset.Blobs, shard);
        return await Ingestion.WriteReportAsync(dataset.Blobs, summary, seconds: 1.5);
    }

    public async Task<IngestPlan> PlanAsync(ResolvedDataset dataset) => await JsonAsync<IngestPlan>(dataset.Blobs.Plan);

    /// <summary>Every row of a dataset that was ingested, with its state in the whole dataset.</summary>
    public async Task<List<ManifestRow>> RowsAsync(ResolvedDataset dataset)
    {
        var rows = new List<ManifestRow>();
        foreach (var unit in (await PlanAsync(dataset)).Units)
        {
            var repeated = dataset.Blobs.Duplicates(unit.Split, unit.Number);
            HashSet<long> duplicates = await Container.GetBlobClient(repeated).ExistsAsync() ? await JsonAsync<HashSet<long>>(repeated) : [];
            rows.AddRange((await TextAsync(dataset.Blobs.Manifest(unit.Split, unit.Number))).Split('\n', StringSplitOptions.RemoveEmptyEntries)
                .Select(line => JsonSerializer.Deserialize<ManifestRow>(line, PipelineJson.Compact)!)
                .Select(row => duplicates.Contains(row.Row) ? row with { State = RowState.Duplicate } : row));
        }
        return rows;
    }

    public async Task<string> TextAsync(string blob) => (await Container.GetBlobClient(blob).DownloadContentAsync()).Value.Content.ToString();

    private async Task<T> JsonAsync<T>(string blob) => JsonSerializer.Deserialize<T>(await TextAsync(blob), PipelineJson.Options)!;

    public ValueTask DisposeAsync() => Hub.DisposeAsync();
}
