using System.Text.Json;
using Azure;
using Azure.Storage.Blobs;
using Azure.Storage.Blobs.Models;
using FunctionsPipeline.Contracts;
using FunctionsPipeline.Datasets.Storage;
using FunctionsPipeline.FunctionApp.Storage;
using FunctionsPipeline.FunctionApp.Sweeps;
using FunctionsPipeline.Shared;

namespace FunctionsPipeline.FunctionApp.Runs;

/// <summary>Reads and writes the documents of runs in blob storage.</summary>
public sealed class RunDocumentStore(BlobServiceClient blobs, TimeProvider time)
{
    // Container Apps may take minutes to show an execution that it has accepted.
    private static readonly TimeSpan StartPatience = TimeSpan.FromMinutes(10);

    /// <summary>Claims the id of a run or a sweep by creating its request document. False when the id is taken.</summary>
    public Task<bool> ClaimAsync<T>(string id, T request, CancellationToken cancellationToken) =>
        Blob(new RunBlobs(id).Accepted).WriteJsonAsync(request, JsonBlobs.New, cancellationToken);

    /// <summary>Releases a claimed id when the run or sweep could not be started.</summary>
    public Task UnclaimAsync(string id) => Blob(new RunBlobs(id).Accepted).DeleteIfExistsAsync();

    /// <summary>Reads the request document of a run or a sweep; null when there is none.</summary>
    public async Task<T?> AcceptedAsync<T>(string id, CancellationToken cancellationToken)
        where T : class => (await Blob(new RunBlobs(id).Accepted).ReadJsonAsync<T>(cancellationToken))?.Document;

    /// <summary>Writes the job's request, which the GPU worker reads.</summary>
    public Task WriteJobAsync(TrainingJob job, CancellationToken cancellationToken) =>
        Blob(new RunBlobs(job.Run).Request).WriteJsonAsync(job, null, cancellationToken);

    /// <summary>Reads the job's request; null when no job was started.</summary>
    public async Task<TrainingJob?> JobAsync(string run, CancellationToken cancellationToken) =>
        (await Blob(new RunBlobs(run).Request).ReadJsonAsync<TrainingJob>(cancellationToken))?.Document;

    /// <summary>Waits for the lock under which a run's jobs are started.</summary>
    /// <exception cref="TimeoutException">Another instance holds it for too long.</exception>
    internal async Task<IAsyncDisposable> LockStartAsync(string run, CancellationToken cancellationToken) =>
        await BlobLock.AcquireAsync(Blob(new RunBlobs(run).StartLock), StartPatience, time, cancellationToken)
            ?? throw new TimeoutException($"Another instance of the app has been starting a job of {run} for {StartPatience}.");

    /// <summary>Stores the started job.</summary>
    public Task RememberAsync(string run, StartedJob job, CancellationToken cancellationToken) =>
        Blob(new RunBlobs(run).Job).WriteJsonAsync(job, null, cancellationToken);

    /// <summary>Reads the job that was started last; null when there is none.</summary>
    public async Task<StartedJob?> StartedAsync(string run, CancellationToken cancellationToken) =>
        (await Blob(new RunBlobs(run).Job).ReadJsonAsync<StartedJob>(cancellationToken))?.Document;

    /// <summary>Marks the run as cancelled.</summary>
    public Task MarkCancelledAsync(string run, CancellationToken cancellationToken) =>
        Blob(new RunBlobs(run).Cancelled).WriteJsonAsync(new Cancellation(time.GetUtcNow()), null, cancellationToken);

    public async Task<bool> IsCancelledAsync(string run, CancellationToken cancellationToken) =>
        (await Blob(new RunBlobs(run).Cancelled).ExistsAsync(cancellationToken)).Value;

    public async Task<Heartbeat?> HeartbeatAsync(string run, CancellationToken cancellationToken) =>
        (await Blob(new RunBlobs(run).Heartbeat).ReadJsonAsync<Heartbeat>(cancellationToken))?.Document;

    public async Task<TrainingResult?> ResultAsync(string run, CancellationToken cancellationToken) =>
        (await Blob(new RunBlobs(run).Result).ReadJsonAsync<TrainingResult>(cancellationToken))?.Document;

    /// <summary>Writes the result of a run unless there is one.</summary>
    /// <returns>The result in storage.</returns>
    public async Task<TrainingResult> EnsureResultAsync(TrainingResult result, CancellationToken cancellationToken)
    {
        var isNew = await Blob(new RunBlobs(result.Run).Result).WriteJsonAsync(result, JsonBlobs.New, cancellationToken);
        return isNew ? result : (await ResultAsync(result.Run, cancellationToken))!;
    }

    /// <summary>Reads a run's validations of the training in the order of their steps, without that of the base model.</summary>
    public async Task<IReadOnlyList<Validation>> ValidationsAsync(string run, CancellationToken cancellationToken)
    {
        if (await MetricsAsync(run, null, cancellationToken) is not { Lines: { } lines }) return [];
        return [.. lines.ToString().Split('\n')
            // Most lines are of steps and need not be parsed. A last line may be incomplete, while it is appended.
            .Where(line => line.Contains("\"validation\":", StringComparison.Ordinal) && line.EndsWith('}'))
            .Select(line => JsonSerializer.Deserialize<MetricsLine>(line, PipelineJson.Compact)!)
            .Where(line => line is { Step: > 0, Validation: not null })
            .Select(line => new Validation(line.Step, line.Epoch, line.Validation!.Loss))];
    }

    /// <summary>Reads the metrics written so far, as JSON lines with their ETag; null when there are none yet.</summary>
    /// <param name="known">ETag that the caller already has: when it is still current, the lines are null.</param>
    public async Task<(BinaryData? Lines, ETag ETag)?> MetricsAsync(string run, ETag? known, CancellationToken cancellationToken)
    {
        var options = new BlobDownloadOptions { Conditions = new BlobRequestConditions { IfNoneMatch = known } };
        try
        {
            var response = await Blob(new RunBlobs(run).Metrics).DownloadContentAsync(options, cancellationToken);
            // The SDK does not throw for 304: it returns a response without a value.
            return response.GetRawResponse().Status == 304 ? (null, known!.Value) : (response.Value.Content, response.Value.Details.ETag);
        }
        catch (RequestFailedException e) when (e.ErrorCode == BlobErrorCode.BlobNotFound)
        {
            return null;
        }
    }

    private BlobClient Blob(string name) => blobs.GetBlobContainerClient(Containers.Runs).GetBlobClient(name);

    private sealed record Cancellation(DateTimeOffset At);
}

/// <summary>Last started job of a run: <c>runs/{run}/job.json</c>.</summary>
/// <param name="Name">The job's name, which identifies it when it is watched or stopped.</param>
/// <param name="Attempt">1 for the first start, higher for restarts.</param>
public sealed record StartedJob(string Name, int Attempt, DateTimeOffset StartedAt);
