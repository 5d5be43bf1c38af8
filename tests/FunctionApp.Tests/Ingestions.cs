using FunctionsPipeline.Contracts;
using FunctionsPipeline.Datasets;
using FunctionsPipeline.SampleData;
using FunctionsPipeline.Tests;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace FunctionsPipeline.FunctionApp.Tests;

/// <summary>Ingestions with the app's services, without a host that runs its functions.</summary>
internal static class Ingestions
{
    /// <summary>The app's services on a storage account and a hub.</summary>
    public static IHost Build(AzuriteFixture azurite, SampleHub hub, Action<ILoggingBuilder>? logging = null)
    {
        var builder = new HostApplicationBuilder(new HostApplicationBuilderSettings { DisableDefaults = true });
        builder.Configuration.AddInMemoryCollection(new Dictionary<string, string?>
        {
            ["PipelineStorage"] = azurite.ConnectionString,
            ["HF_ENDPOINT"] = hub.Url.ToString(),
            ["Ingestion:AllowedHosts:0"] = hub.Url.Authority,
            ["Worker:Url"] = "http://127.0.0.1:9",
            ["GpuWorker:Command"] = "unused",
        });
        logging?.Invoke(builder.Logging);
        builder.Services.AddPipeline(builder.Configuration);
        return builder.Build();
    }

    /// <summary>Ingests the sample dataset as the orchestrators do, one step after another.</summary>
    public static async Task<IngestReport> RunAsync(IServiceProvider services)
    {
        var ingestion = services.GetRequiredService<DatasetIngestion>();
        var resolved = await ingestion.ResolveAsync(new DatasetRequest { Repo = "samples/garments" });
        for (var file = 0; file < resolved.Files; file++) await ingestion.FetchFileAsync(resolved.Blobs, file);
        for (var unit = 0; unit < resolved.Units; unit++) await ingestion.IngestUnitAsync(resolved.Blobs, unit);
        await ingestion.WriteCatalogAsync(resolved.Blobs);
        foreach (var shard in Enumerable.Range(0, resolved.Shards)) await ingestion.PreprocessAsync(resolved.Blobs, shard);
        return await ingestion.WriteReportAsync(resolved.Blobs, seconds: 1);
    }
}
