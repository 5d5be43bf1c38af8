using Azure.Storage.Blobs;
using FunctionsPipeline.Contracts;
using Microsoft.Extensions.Hosting;

namespace FunctionsPipeline.FunctionApp.Storage;

/// <summary>Creates the containers at start, so that everything else may count on them.</summary>
internal sealed class StorageContainers(BlobServiceClient blobs) : IHostedService
{
    public Task StartAsync(CancellationToken cancellationToken) => Task.WhenAll(
        Containers.All.Select(name => blobs.GetBlobContainerClient(name).CreateIfNotExistsAsync(cancellationToken: cancellationToken)));

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;
}
