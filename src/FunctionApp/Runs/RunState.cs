using Azure;
using Azure.Storage.Blobs;
using Azure.Storage.Blobs.Models;
using FunctionsPipeline.Contracts;
using FunctionsPipeline.FunctionApp.Storage;

namespace FunctionsPipeline.FunctionApp.Runs;

/// <summary>Reads and writes the documents of runs in blob storage.</summary>
public sealed class RunState(BlobServiceClient blobs, TimeProvider time)
{
    /// <summary>Claims a run id by creating its request document. False when the id is taken.</summary>
    public Task<bool> ClaimAsync(string run, RunRequest request, CancellationToken cancellationToken) =>
        Blob(new RunBlobs(run).Accepted).WriteJsonAsync(request, JsonBlobs.New, cancellationToken);

    /// <summary>Releases a claimed id when the run could not be started.</summary>
    public Task UnclaimAsync(string run) => Blob(new RunBlobs(run).Accepted).DeleteIfExistsAsync();

    /// <summary>Writes the job's request, which the GPU worker reads.</summary>
    public Task WriteJobAsync(TrainingJob job, CancellationToken cancellationToken) =>
        Blob(new RunBlobs(job.Run).Request).WriteJsonAsync(job, null, cancellationToken);

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

    public async Task<RunResult?> ResultAsync(string run, CancellationToken cancellationToken) =>
        (await Blob(new RunBlobs(run).Result).ReadJsonAsync<RunResult>(cancellationToken))?.Document;

    /// <summary>Reads the metrics written so far, as JSON lines with their ETag; null when there are none yet.</summary>
    /// <param name="known">ETag that the caller already has: when it is still current, the lines are null.</param>
    public async Task<(BinaryData? Lines, ETag ETag)?> MetricsAsync(string run, ETag? known, CancellationToken cancellationToken)
    {
        var options = new BlobDownloadOptions { Conditions = new BlobRequestConditions { IfNoneMatch = known } };
        try
        {
            var response = await Blob(new RunBlobs(run).Metrics).DownloadContentAsync(options, cancellationToken);
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
