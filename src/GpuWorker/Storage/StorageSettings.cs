using Azure.Identity;
using Azure.Storage.Blobs;
using FunctionsPipeline.FineTuning;
using Microsoft.Extensions.Azure;

namespace FunctionsPipeline.GpuWorker.Storage;

/// <summary>Where the pipeline's blobs are: the setting <c>Storage</c>.</summary>
internal static class StorageSettings
{
    /// <summary>Registers <see cref="BlobServiceClient"/> and <see cref="BlobRunStore"/>.</summary>
    /// <exception cref="CommandException">The setting is missing.</exception>
    public static IServiceCollection AddStorage(this IServiceCollection services, IConfiguration configuration)
    {
        var section = configuration.GetSection("Storage");
        if (!section.Exists())
            throw new CommandException(
                "The setting Storage is missing. Set the environment variable Storage to a connection string, " +
                "or Storage__blobServiceUri to the address of an account that the worker's identity may use.");
        services.AddAzureClients(clients =>
        {
            clients.AddBlobServiceClient(section);
            clients.UseCredential(_ => new DefaultAzureCredential());
        });
        return services.AddSingleton<IRunStore, BlobRunStore>();
    }
}
