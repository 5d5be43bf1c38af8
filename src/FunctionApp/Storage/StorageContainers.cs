using Azure.Storage.Blobs;
using FunctionsPipeline.Contracts;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace FunctionsPipeline.FunctionApp.Storage;

/// <summary>Creates the containers at start, so that everything else may count on them.</summary>
internal sealed class StorageContainers(IServiceProvider services) : IHostedService
{
    public Task StartAsync(CancellationToken cancellationToken)
    {
        // The host makes its services before it checks the settings, and a client cannot be made without its setting.
        var blobs = services.GetRequiredService<BlobServiceClient>();
        return Task.WhenAll(Containers.All.Select(name => blobs.GetBlobContainerClient(name).CreateIfNotExistsAsync(cancellationToken: cancellationToken)));
    }

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;
}
