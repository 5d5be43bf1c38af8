using System.Net.Http.Headers;
using System.Text.Json;
using System.Text.Json.Serialization;
using Azure.Storage.Blobs;
using FunctionsPipeline.Datasets;
using FunctionsPipeline.Datasets.Hub;
using FunctionsPipeline.FunctionApp.Gpu;
using FunctionsPipeline.FunctionApp.Http;
using FunctionsPipeline.FunctionApp.Models;
using FunctionsPipeline.FunctionApp.Predictions;
using FunctionsPipeline.FunctionApp.Retraining;
using FunctionsPipeline.FunctionApp.Runs;
using FunctionsPipeline.FunctionApp.Storage;
using FunctionsPipeline.Shared;
using Microsoft.Azure.Functions.Worker.Core.FunctionMetadata;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Options;

namespace FunctionsPipeline.FunctionApp;

/// <summary>Registers the services that the functions use.</summary>
public static class PipelineServices
{
    // The Functions host kills the worker 5 seconds after it asks it to stop. A shutdown within 4 still logs and closes connections.
    private static readonly TimeSpan ShutdownTimeout = TimeSpan.FromSeconds(4);

    private static readonly TimeSpan ConnectTimeout = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan ConnectionLifetime = TimeSpan.FromMinutes(2);

    /// <summary>
    /// Registers the pipeline's services. Their settings, <see cref="PipelineOptions"/> and those of <see cref="PipelineStorage"/>, are
    /// validated when the host starts.
    /// </summary>
    public static IServiceCollection AddPipeline(this IServiceCollection services, IConfiguration configuration)
    {
        services.AddSettings(configuration);
        services.Configure<HostOptions>(host => host.ShutdownTimeout = ShutdownTimeout);
        services.Configure<JsonSerializerOptions>(ConfigureDurableState);
        services.TryAddSingleton(TimeProvider.System);
        services.AddPipelineStorage(configuration);
        services.AddHostedService<StorageContainers>();
        services.AddSingleton<IFunctionMetadataTransformer, EmulatorBlobTriggers>();

        services.AddSingleton(provider =>
        {
            var options = provider.GetRequiredService<IOptions<PipelineOptions>>().Value;
            var hub = new HubOptions { Endpoint = options.HubEndpoint, Token = options.HubToken };
            return new HubClient(HubClient.CreateHttpClient(), hub, provider.GetRequiredService<TimeProvider>());
        });
        services.AddSingleton<ModelMirror>();
        services.AddSingleton(provider => new DatasetIngestion(
            provider.GetRequiredService<HubClient>(), provider.GetRequiredService<BlobServiceClient>(),
            provider.GetRequiredService<IOptions<PipelineOptions>>().Value.Ingestion, provider.GetRequiredService<TimeProvider>()));

        services.AddSingleton<RunDocumentStore>().AddSingleton<RunIndex>().AddSingleton<SweepIndex>();
        services.AddSingleton<StoredDatasets>().AddSingleton<StoredImages>().AddSingleton<RunSummaries>();
        services.AddSingleton<RunStarter>().AddSingleton<RunCanceller>().AddSingleton<ModelRegistry>();
        services.AddSingleton<ModelCatalog>().AddSingleton<CorrectionStore>().AddSingleton<Retrainer>();
        services.AddPredictions();

        services.AddSingleton<LocalProcessGpuJobs>();
        services.AddHostedService(provider => provider.GetRequiredService<LocalProcessGpuJobs>());
        services.AddSingleton<IGpuJobs>(provider =>
        {
            var options = provider.GetRequiredService<IOptions<PipelineOptions>>().Value.GpuJobs;
            if (string.IsNullOrWhiteSpace(options.JobId)) return provider.GetRequiredService<LocalProcessGpuJobs>();
            var credential = PipelineStorage.Credential(configuration.GetSection(PipelineStorage.Connection));
            var client = new ContainerAppsClient(options.ArmEndpoint, options.JobId, credential, () => new ArmOptions());
            return ActivatorUtilities.CreateInstance<ContainerAppJobs>(provider, client, options.JobId);
        });
        return services;
    }

    private static void AddPredictions(this IServiceCollection services)
    {
        services.AddSingleton<PredictionStore>().AddSingleton<ImageReadings>().AddSingleton<WorkerSlots>();
        services.AddHttpClient(nameof(PredictionClient), (provider, http) =>
            {
                var options = provider.GetRequiredService<IOptions<PipelineOptions>>().Value.Worker;
                http.BaseAddress = options.Url;
                // PredictionClient has a limit of its own, which tells a slow answer from a connection that cannot be made.
                http.Timeout = Timeout.InfiniteTimeSpan;
                if (options.Key is { Length: > 0 } key)
                    http.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", key);
            })
            .ConfigurePrimaryHttpMessageHandler(() => new SocketsHttpHandler
            {
                ConnectTimeout = ConnectTimeout,
                // One client lives as long as the app; new connections follow a change of the worker's IP address.
                PooledConnectionLifetime = ConnectionLifetime,
            })
            .SetHandlerLifetime(Timeout.InfiniteTimeSpan);
        services.AddSingleton(provider => new PredictionClient(
            provider.GetRequiredService<IHttpClientFactory>().CreateClient(nameof(PredictionClient)),
            provider.GetRequiredService<IOptions<PipelineOptions>>().Value.Worker.Timeout,
            provider.GetRequiredService<TimeProvider>()));
    }

    // The worker serializes durable inputs, outputs and custom statuses with these options. Unlike documents, they allow unknown members:
    // state that another version of the app wrote must stay readable.
    private static void ConfigureDurableState(JsonSerializerOptions json)
    {
        json.PropertyNamingPolicy = JsonNamingPolicy.CamelCase;
        json.DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull;
        json.Converters.Add(new JsonStringEnumConverter(JsonNamingPolicy.CamelCase));
    }

    private static void AddSettings(this IServiceCollection services, IConfiguration configuration)
    {
        services.AddOptions<PipelineOptions>().Bind(configuration).ValidateOnStart();
        services.AddSingleton<IValidateOptions<PipelineOptions>>(new Rules(configuration));
    }

    private sealed class Rules(IConfiguration configuration) : IValidateOptions<PipelineOptions>
    {
        public ValidateOptionsResult Validate(string? name, PipelineOptions options)
        {
            var mistakes = options.Mistakes().ToList();
            if (PipelineStorage.Mistake(configuration) is { } mistake) mistakes.Add(mistake);
            return mistakes.Count == 0 ? ValidateOptionsResult.Success : ValidateOptionsResult.Fail(mistakes);
        }
    }
}
