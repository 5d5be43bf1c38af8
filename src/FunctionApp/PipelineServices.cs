using Azure.Identity;
using FunctionsPipeline.FunctionApp.Gpu;
using FunctionsPipeline.FunctionApp.Models;
using FunctionsPipeline.FunctionApp.Predictions;
using FunctionsPipeline.FunctionApp.Runs;
using FunctionsPipeline.FunctionApp.Storage;
using Microsoft.Extensions.Azure;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Options;

namespace FunctionsPipeline.FunctionApp;

/// <summary>Everything that the functions need.</summary>
public static class PipelineServices
{
    /// <summary>
    /// Registers the pipeline. Settings: <c>Storage</c> (a connection string, or a section with <c>blobServiceUri</c>), <c>HF_ENDPOINT</c>,
    /// <c>HF_TOKEN</c>, <c>Worker:*</c> (<see cref="PredictionOptions"/>), <c>GpuJobs:*</c> (<see cref="GpuJobsOptions"/>), <c>GpuWorker:Command</c>.
    /// They are checked when the host starts.
    /// </summary>
    public static IServiceCollection AddPipeline(this IServiceCollection services, IConfiguration configuration)
    {
        services.AddSettings(configuration);
        services.TryAddSingleton(TimeProvider.System);
        services.AddAzureClients(clients =>
        {
            clients.AddBlobServiceClient(configuration.GetSection("Storage"));
            clients.UseCredential(_ => new DefaultAzureCredential());
        });
        services.AddHostedService<StorageContainers>();

        services.AddSingleton<RunState>().AddSingleton<ModelRegistry>().AddSingleton<PredictionWriter>();
        services.AddHttpClient<PredictionClient>((provider, http) =>
        {
            var options = provider.GetRequiredService<IOptions<PredictionOptions>>().Value;
            http.BaseAddress = options.Url;
            http.Timeout = options.Timeout;
        });

        services.AddSingleton<LocalProcessGpuJobs>();
        services.AddSingleton<IGpuJobs>(provider => provider.GetRequiredService<LocalProcessGpuJobs>());
        services.AddHostedService(provider => provider.GetRequiredService<LocalProcessGpuJobs>());
        return services;
    }

    private static void AddSettings(this IServiceCollection services, IConfiguration configuration)
    {
        services.AddOptions<GpuJobsOptions>().Bind(configuration.GetSection("GpuJobs"))
            .Validate(options => options.MaxRestarts is >= 0 and <= 100, "GpuJobs:MaxRestarts must be from 0 to 100.")
            .Validate(options => options.HeartbeatTimeout > TimeSpan.Zero, "GpuJobs:HeartbeatTimeout must be above zero, such as 00:05:00.")
            .Validate(options => !string.IsNullOrWhiteSpace(options.LogFolder), "GpuJobs:LogFolder must name a folder.")
            .Validate(_ => GpuWorkerCommand.Parse(configuration["GpuWorker:Command"]) is not null,
                "GpuWorker:Command is missing: the command line that starts the GPU worker, such as 'dotnet /app/FunctionsPipeline.GpuWorker.dll'.")
            .Validate(_ => configuration.GetSection("Storage").Exists(),
                "Storage is missing: a connection string, or Storage:blobServiceUri for an identity that may use the account.")
            .ValidateOnStart();
        services.AddOptions<PredictionOptions>().Bind(configuration.GetSection("Worker"))
            .Validate(options => options.Url is { IsAbsoluteUri: true, Scheme: "http" or "https" },
                "Worker:Url is missing or no http(s) address: where the GPU worker answers, such as http://127.0.0.1:8080.")
            .Validate(options => options.Timeout > TimeSpan.Zero, "Worker:Timeout must be above zero, such as 00:05:00.")
            .ValidateOnStart();
    }
}
