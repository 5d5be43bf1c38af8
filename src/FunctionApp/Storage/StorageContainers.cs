using Azure.Storage.Blobs;
using FunctionsPipeline.Contracts;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace FunctionsPipeline.FunctionApp.Storage;

/// <summary>
/// Creates the blob containers at start, so that all other code can rely on them. Without storage the app starts all the same, and the
/// creation is retried in the background.
/// </summary>
internal sealed class StorageContainers(IServiceProvider services, TimeProvider time, ILogger<StorageContainers> logger) : BackgroundService
{
    private static readonly TimeSpan FirstPause = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan LongestPause = TimeSpan.FromMinutes(1);

    // The host's start waits this long for the first attempt, which is enough for a storage account that answers.
    private static readonly TimeSpan StartPatience = TimeSpan.FromSeconds(5);

    private readonly TaskCompletionSource _firstAttempt = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public override async Task StartAsync(CancellationToken cancellationToken)
    {
        await base.StartAsync(cancellationToken);
        await Task.WhenAny(_firstAttempt.Task, Task.Delay(StartPatience, cancellationToken));
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        // Without a limit on attempts: after 1, 2, 4, … seconds, then every minute, until the app stops.
        for (var pause = FirstPause; !await TryCreateAsync(pause, stoppingToken); pause = Longer(pause))
        {
            _firstAttempt.TrySetResult();
            await Task.Delay(pause, time, stoppingToken);
        }
        _firstAttempt.TrySetResult();
    }

    private static TimeSpan Longer(TimeSpan pause) => pause * 2 < LongestPause ? pause * 2 : LongestPause;

    private async Task<bool> TryCreateAsync(TimeSpan pause, CancellationToken cancellationToken)
    {
        try
        {
            // Resolved here instead of in the constructor: the host constructs its services before it validates the settings, and a client
            // cannot be created from invalid ones.
            var blobs = services.GetRequiredService<BlobServiceClient>();
            await Task.WhenAll(Containers.All.Select(
                name => blobs.GetBlobContainerClient(name).CreateIfNotExistsAsync(cancellationToken: cancellationToken)));
            return true;
        }
        catch (Exception e) when (!cancellationToken.IsCancellationRequested)
        {
            // Every exception is retried: a background service that throws would end the app, and its health endpoint with it.
            Logs.StorageUnreachable(logger, pause.TotalSeconds, e.Message);
            return false;
        }
    }
}
