using Azure.Core.Pipeline;
using Azure.Storage.Blobs;
using FunctionsPipeline.Contracts;
using FunctionsPipeline.FunctionApp.Storage;
using FunctionsPipeline.Tests;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging.Abstractions;

namespace FunctionsPipeline.FunctionApp.Tests;

public sealed class StorageContainersTests(AzuriteFixture azurite) : IClassFixture<AzuriteFixture>
{
    [Fact]
    public async Task Without_storage_the_app_starts_and_the_containers_are_there_soon_after_it_is_back()
    {
        using var outage = new Outage();
        var options = new BlobClientOptions { Transport = new HttpClientTransport(outage) };
        options.Retry.MaxRetries = 0;
        await using var services = new ServiceCollection()
            .AddSingleton(new BlobServiceClient(azurite.ConnectionString, options)).BuildServiceProvider();
        using var containers = new StorageContainers(services, TimeProvider.System, NullLogger<StorageContainers>.Instance);
        await containers.StartAsync(default);

        outage.IsOver = true;
        await containers.ExecuteTask!.WaitAsync(TimeSpan.FromSeconds(30));
        foreach (var name in Containers.All) Assert.True(await azurite.Blobs.GetBlobContainerClient(name).ExistsAsync());
        await containers.StopAsync(default);
    }

    [Fact]
    public async Task A_storage_that_stays_away_does_not_keep_the_app_from_stopping()
    {
        using var outage = new Outage();
        var options = new BlobClientOptions { Transport = new HttpClientTransport(outage) };
        await using var services = new ServiceCollection()
            .AddSingleton(new BlobServiceClient(azurite.ConnectionString, options)).BuildServiceProvider();
        using var containers = new StorageContainers(services, TimeProvider.System, NullLogger<StorageContainers>.Instance);
        await containers.StartAsync(default);
        await containers.StopAsync(default).WaitAsync(TimeSpan.FromSeconds(5));
    }

    private sealed class Outage() : DelegatingHandler(new SocketsHttpHandler())
    {
        public bool IsOver { get; set; }

        protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken) =>
            IsOver ? base.SendAsync(request, cancellationToken) : throw new HttpRequestException("Connection refused");
    }
}
