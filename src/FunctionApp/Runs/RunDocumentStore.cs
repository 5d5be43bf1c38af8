using System.Globalization;
using Azure;
using Azure.Storage.Blobs;
using Azure.Storage.Blobs.Models;
using FunctionsPipeline.Contracts;
using FunctionsPipeline.Datasets.Storage;
using FunctionsPipeline.FunctionApp.Storage;
using FunctionsPipeline.Shared;

namespace FunctionsPipeline.FunctionApp.Runs;

/// <summary>Reads and writes the documents of runs in blob storage.</summary>
public sealed class RunDocumentStore(BlobServiceClient blobs, TimeProvider time)
{
    // Container Apps may take minutes to show an execution that it has accepted.
    private static readonly TimeSpan StartPatience = TimeSpan.FromMinutes(10);

    /// <summary>Claims a run id by creating its request document. False when the id is taken.</summary>
    public Task<bool> ClaimAsync(string run, RunRequest request, CancellationToken cancellationToken) =>
        Blob(new RunBlobs(run).Accepted).WriteJsonAsync(request, JsonBlobs.New, cancellationToken);

    /// <summary>Releases a claimed id when the run could not be started.</summary>
    public Task UnclaimAsync(string run) => Blob(new RunBlobs(run).Accepted).DeleteIfExistsAsync();

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

/// <summary>Index of accepted runs, newest first: one empty blob per run, whose name holds the time and the run id.</summary>
/// <remarks>The Durable Task storage cannot page runs by time: it sorts by id and mixes runs with their sub-orchestrations.</remarks>
public sealed class RunIndex(BlobServiceClient blobs)
{
    private const int TickDigits = 19;

    private BlobContainerClient Container => blobs.GetBlobContainerClient(Containers.Runs);

    public Task AddAsync(string run, DateTimeOffset acceptedAt, CancellationToken cancellationToken) =>
        Container.GetBlobClient(new RunBlobs(run).IndexEntry(acceptedAt)).UploadAsync(BinaryData.Empty, overwrite: true, cancellationToken);

    public Task RemoveAsync(string run, DateTimeOffset acceptedAt) =>
        Container.GetBlobClient(new RunBlobs(run).IndexEntry(acceptedAt)).DeleteIfExistsAsync();

    /// <summary>Reads one page of the runs that were accepted in a time range, both ends included.</summary>
    /// <param name="most">Maximum number of runs on the page. A page may hold fewer or none and still have a successor.</param>
    /// <param name="continuation">Continuation token of the previous page; null for the first page.</param>
    public async Task<(IReadOnlyList<string> Runs, string? Continuation)> ReadAsync(
        DateTimeOffset? from, DateTimeOffset? to, int most, string? continuation, CancellationToken cancellationToken)
    {
        try
        {
            await foreach (var page in Container.GetBlobsAsync(new GetBlobsOptions { Prefix = RunBlobs.Index }, cancellationToken)
                .AsPages(continuation, most).WithCancellation(cancellationToken))
            {
                var entries = page.Values.Select(blob => Parse(blob.Name)).ToList();
                var runs = entries.Where(entry => !(entry.AcceptedAt < from) && !(entry.AcceptedAt > to)).Select(entry => entry.Run);
                // Entries list newest first, so that one before the range ends it. Those after the range are read and skipped.
                var isLast = string.IsNullOrEmpty(page.ContinuationToken) || entries.Count > 0 && entries[^1].AcceptedAt < from;
                return ([.. runs], isLast ? null : page.ContinuationToken);
            }
        }
        catch (RequestFailedException e) when (e.ErrorCode == BlobErrorCode.ContainerNotFound)
        {
            // The container does not exist yet, so there are no runs.
        }
        return ([], null);
    }

    private static (string Run, DateTimeOffset AcceptedAt) Parse(string name)
    {
        // _index/{19 digits: ticks from the acceptance to the end of time}-{run}
        var entry = name.AsSpan(RunBlobs.Index.Length);
        var ticks = DateTimeOffset.MaxValue.UtcTicks - long.Parse(entry[..TickDigits], CultureInfo.InvariantCulture);
        return (entry[(TickDigits + 1)..].ToString(), new DateTimeOffset(ticks, TimeSpan.Zero));
    }
}
