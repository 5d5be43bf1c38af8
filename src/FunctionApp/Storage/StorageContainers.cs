using Azure.Storage.Blobs;
using FunctionsPipeline.Contracts;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace FunctionsPipeline.FunctionApp.Storage;

/// <summary>
/// Creates the containers at start, so that everything else may count on them. Without storage the app starts all the same, and this tries
/// again in the background.
/// </summary>
internal sealed class StorageContainers(IServiceProvider services, TimeProvider time, ILogger<StorageContainers> logger) : BackgroundService
{
    private static readonly TimeSpan FirstPause = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan LongestPause = TimeSpan.FromMinutes(1);

    // The start waits this long for the first attempt: it is enough for a storage that answers.
    private static readonly TimeSpan StartPatience = TimeSpan.FromSeconds(5);

    private readonly TaskCompletionSource _firstAttempt = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public override async Task StartAsync(CancellationToken cancellationToken)
    {
        await base.StartAsync(cancellationToken);
        await Task.WhenAny(_firstAttempt.Task, Task.Delay(StartPatience, cancellationToken));
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
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
            // Not by the constructor: the host makes its services before it checks the settings, and a client cannot be made without them.
            var blobs = services.GetRequiredService<BlobServiceClient>();
            await Task.WhenAll(Containers.All.Select(
                name => blobs.GetBlobContainerClient(name).CreateIfNotExistsAsync(cancellationToken: cancellationToken)));
            return true;
        }
        catch (Exception e) when (!cancellationToken.IsCancellationRequested)
        {
            // Whatever it is, an app that has ended could tell nobody.
            Logs.StorageUnreachable(logger, pause.TotalSeconds, e.Message);
            return false;
        }
    }
}
