using System.Collections.Concurrent;
using System.Diagnostics;
using Azure;
using Azure.Storage.Blobs;
using Azure.Storage.Blobs.Models;
using FunctionsPipeline.LocalHost.Functions;
using Microsoft.Azure.Functions.Worker;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace FunctionsPipeline.LocalHost.Blobs;

/// <summary>
/// Runs blob triggers: lists each watched container again and again and calls the function for every version of a blob that has no
/// receipt. A failed version is tried again with growing pauses, then put aside as poison. A newer version of the blob is a new event.
/// </summary>
internal sealed class BlobWatcher(FunctionCatalog catalog, BlobReceipts receipts, LocalHostOptions options, HostSettings settings,
    IConfiguration configuration, IServiceScopeFactory scopes, TimeProvider time, ILogger<BlobWatcher> logger) : BackgroundService
{
    private const int BackOffFactor = 3;

    private readonly SemaphoreSlim _slots = new(settings.MaxConcurrentBlobs);

    private List<Watch> _watches = [];

    public override Task StartAsync(CancellationToken cancellationToken)
    {
        // Here, so that a trigger that cannot work keeps the host from starting.
        _watches = catalog.OfTrigger<BlobTriggerAttribute>().Select(Open).ToList();
        return base.StartAsync(cancellationToken);
    }

    protected override Task ExecuteAsync(CancellationToken stoppingToken) => Task.WhenAll(_watches.Select(w => WatchAsync(w, stoppingToken)));

    private Watch Open(FunctionDescriptor function)
    {
        var trigger = (BlobTriggerAttribute)function.Trigger;
        if (function.TriggerParameter.ParameterType is var type && type != typeof(BlobClient))
            throw new InvalidOperationException($"Function {function.Name}: [BlobTrigger] goes on a BlobClient here, not on a {type.Name}.");
        var setting = trigger.Connection ?? "AzureWebJobsStorage";
        var connection = configuration[setting] is { Length: > 0 } value ? value : options.StorageConnection;
        if (string.IsNullOrEmpty(connection))
            throw new InvalidOperationException($"Function {function.Name}: the setting {setting}, a storage connection string, is missing.");
        var path = BlobPath.Parse(trigger.BlobPath);
        return new Watch(function, path, new BlobServiceClient(connection).GetBlobContainerClient(path.Container),
            new ConcurrentDictionary<string, BlobReceipt>(receipts.Load(function.Name, path.Container)));
    }

    private async Task WatchAsync(Watch watch, CancellationToken stopping)
    {
        string? trouble = null;
        var running = new ConcurrentDictionary<string, Task>();
        Logs.ContainerWatched(logger, watch.Path.Container, watch.Function.Name);
        while (!stopping.IsCancellationRequested)
        {
            try
            {
                await DispatchAsync(watch, running, stopping);
                trouble = null;
            }
            catch (RequestFailedException e) when (e.ErrorCode == "ContainerNotFound")
            {
                // It is made when the first image is uploaded, or by the app at its start.
            }
            catch (Exception e) when (e is RequestFailedException or AggregateException)
            {
                if (trouble != e.Message) Logs.ContainerUnreachable(logger, watch.Path.Container, e.Message);
                trouble = e.Message;
            }
            catch (OperationCanceledException) when (stopping.IsCancellationRequested)
            {
                break;
            }
            await Task.Delay(options.BlobPollInterval, time, stopping).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
        await Task.WhenAll(running.Values);
    }

    private async Task DispatchAsync(Watch watch, ConcurrentDictionary<string, Task> running, CancellationToken stopping)
    {
        await foreach (var blob in watch.Container.GetBlobsAsync(new GetBlobsOptions { Prefix = watch.Path.Prefix }, stopping))
        {
            if (running.ContainsKey(blob.Name) || watch.Path.Match(blob.Name) is not { } names || blob.Properties.ETag is not { } etag) continue;
            var version = etag.ToString();
            var known = watch.Receipts.GetValueOrDefault(blob.Name) is { } receipt && receipt.ETag == version ? receipt : null;
            if (known is { State: not BlobState.Waiting } || known?.NextTry > time.GetUtcNow().UtcDateTime) continue;
            await _slots.WaitAsync(stopping);
            var begin = new TaskCompletionSource();
            running[blob.Name] = HandleAsync(begin.Task, known?.Tries ?? 0);
            begin.SetResult();

            async Task HandleAsync(Task begun, int tries)
            {
                await begun;
                try
                {
                    await TryAsync(watch, blob.Name, version, names, tries, stopping);
                }
                finally
                {
                    running.TryRemove(blob.Name, out _);
                    _slots.Release();
                }
            }
        }
    }

    private async Task TryAsync(Watch watch, string blob, string etag, IReadOnlyDictionary<string, object?> names, int tries,
        CancellationToken stopping)
    {
        var started = Stopwatch.GetTimestamp();
        var function = watch.Function;
        try
        {
            await InvokeAsync(watch, blob, names, tries, stopping);
            Save(BlobState.Done, null);
            Logs.BlobHandled(logger, function.Name, blob, Stopwatch.GetElapsedTime(started).TotalSeconds);
        }
        catch (Exception) when (stopping.IsCancellationRequested)
        {
            // No receipt: the next start tries again.
        }
        catch (Exception e) when (tries + 1 < settings.BlobTries)
        {
            var pause = options.BlobRetryDelay * Math.Pow(BackOffFactor, tries);
            Save(BlobState.Waiting, e, pause);
            Logs.BlobFailed(logger, function.Name, blob, tries + 1, settings.BlobTries, pause.TotalSeconds, e.Message);
        }
        catch (Exception e)
        {
            Save(BlobState.Poison, e);
            Logs.BlobPoisoned(logger, function.Name, blob, tries + 1, e.Message);
        }

        void Save(BlobState state, Exception? error, TimeSpan pause = default)
        {
            var now = time.GetUtcNow().UtcDateTime;
            var receipt = new BlobReceipt(blob, etag, state, tries + 1, now + pause);
            receipts.Save(function.Name, watch.Path.Container, receipt, error?.ToString(), now);
            watch.Receipts[blob] = receipt;
        }
    }

    private async Task InvokeAsync(Watch watch, string blob, IReadOnlyDictionary<string, object?> names, int tries, CancellationToken stopping)
    {
        await using var scope = scopes.CreateAsyncScope();
        var client = watch.Container.GetBlobClient(blob);
        var bindingData = new Dictionary<string, object?>(names, StringComparer.OrdinalIgnoreCase)
        {
            ["BlobTrigger"] = $"{watch.Path.Container}/{blob}",
            ["Uri"] = client.Uri,
        };
        var context = new LocalFunctionContext(watch.Function, scope.ServiceProvider, bindingData, stopping, (tries, settings.BlobTries - 1));
        await FunctionInvoker.Result(FunctionInvoker.Invoke(context,
            parameter => parameter == watch.Function.TriggerParameter ? new Bound(client) : null));
    }

    /// <summary>A function and the container that it watches.</summary>
    private sealed record Watch(
        FunctionDescriptor Function, BlobPath Path, BlobContainerClient Container, ConcurrentDictionary<string, BlobReceipt> Receipts);
}
