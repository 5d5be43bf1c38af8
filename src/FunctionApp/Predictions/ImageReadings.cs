using System.Security.Cryptography;
using System.Text;
using Azure.Storage.Blobs;
using FunctionsPipeline.Contracts;
using FunctionsPipeline.Datasets.Storage;
using FunctionsPipeline.FunctionApp.Orchestration;
using Microsoft.DurableTask;
using Microsoft.DurableTask.Client;
using Microsoft.Extensions.Options;

namespace FunctionsPipeline.FunctionApp.Predictions;

/// <summary>Version of an uploaded image.</summary>
public sealed record UploadedVersion(string ETag, DateTimeOffset UploadedAt)
{
    /// <summary>Reads an image's current version; null when there is no such image.</summary>
    public static async Task<UploadedVersion?> ReadAsync(BlobClient image, CancellationToken cancellationToken) =>
        await image.FindPropertiesAsync(cancellationToken) is { } properties
            ? new UploadedVersion(properties.ETag.ToString(), properties.LastModified)
            : null;
}

/// <summary>Starts, finds, wakes and purges the orchestrations that read images.</summary>
public sealed class ImageReadings(IOptions<PipelineOptions> options, TimeProvider time)
{
    /// <summary>Beginning of the instance ids of readings. Ids of runs have no dots, so that no run can take one.</summary>
    public const string Prefix = "image.";
    private const int AtOnce = 8;

    // A reading that waits asks every five minutes at least.
    private static readonly TimeSpan LongestSilence = TimeSpan.FromMinutes(30);

    // Enough for the worker to be busy until the pauses of the others end; an event for each of 10,000 images would take minutes.
    private const int MostWoken = 500;
    private const int MostCounted = 5000;

    /// <summary>
    /// Returns the instance id for an image version: a hash, since ids may have neither slashes nor more than 100 characters.
    /// </summary>
    /// <param name="cause">Id of a request to read many images once more; null for the upload itself.</param>
    public static string Id(string image, string etag, string? cause = null) =>
        Prefix + Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes($"{image}\n{etag}\n{cause}")).AsSpan(0, 16));

    /// <summary>Returns the input of a reading that begins now.</summary>
    public ImageReading Begin(string image, UploadedVersion version)
    {
        var now = time.GetUtcNow();
        return new ImageReading(image, version.ETag, version.UploadedAt, now, now + options.Value.Predictions.Patience);
    }

    /// <summary>Starts the reading of an uploaded version, unless one has been started before.</summary>
    public async Task StartAsync(DurableTaskClient client, string image, UploadedVersion version, CancellationToken cancellationToken)
    {
        // Two events in the same instant can both pass this check. The engine then runs one of the two starts, or both one after the other,
        // and the second writes nothing new.
        if (await client.GetInstanceAsync(Id(image, version.ETag), cancellationToken) is null)
            await ScheduleAsync(client, image, version, cancellationToken);
    }

    /// <summary>
    /// Starts the reading of a version that has no document although it should. A reading in progress is left alone unless nothing has been
    /// heard of it for long: it is terminated, and the next call starts another.
    /// </summary>
    /// <returns>True when a reading was started.</returns>
    public async Task<bool> StartForgottenAsync(
        DurableTaskClient client, string image, UploadedVersion version, CancellationToken cancellationToken)
    {
        var id = Id(image, version.ETag);
        var instance = await client.GetInstanceAsync(id, cancellationToken);
        // Its document was deleted, or the image was superseded for a moment.
        if (instance?.RuntimeStatus == OrchestrationRuntimeStatus.Completed) return false;
        if (instance is { IsCompleted: false })
        {
            if (time.GetUtcNow() - instance.LastUpdatedAt > LongestSilence)
                await client.TerminateInstanceAsync(id, "nothing was heard of it", cancellationToken);
            return false;
        }
        await ScheduleAsync(client, image, version, cancellationToken);
        return true;
    }

    /// <summary>Starts the reading of an image version again; has the worker asked at once when its reading is in progress.</summary>
    /// <returns>Instance id of the reading.</returns>
    public async Task<string> RestartAsync(
        DurableTaskClient client, string image, UploadedVersion version, CancellationToken cancellationToken)
    {
        var id = Id(image, version.ETag);
        if (await client.GetInstanceAsync(id, cancellationToken) is { IsCompleted: false })
            await client.RaiseEventAsync(id, ReadImage.AskNow, cancellation: cancellationToken);
        else await ScheduleAsync(client, image, version with { UploadedAt = time.GetUtcNow() }, cancellationToken);
        return id;
    }

    /// <summary>Describes the reading of an image version for which no document exists.</summary>
    public static async Task<WaitingImage> FindAsync(
        DurableTaskClient client, string image, UploadedVersion version, CancellationToken cancellationToken)
    {
        var instance = await client.GetInstanceAsync(Id(image, version.ETag), getInputsAndOutputs: true, cancellationToken);
        return new WaitingImage(image, version.ETag, version.UploadedAt, Describe(instance));
    }

    /// <summary>Lists a page of the images whose readings are in progress.</summary>
    public static async Task<(IReadOnlyList<WaitingImage> Images, string? Continuation)> ListAsync(
        DurableTaskClient client, string? prefix, int top, string? continuation, CancellationToken cancellationToken)
    {
        var query = InProgress with { PageSize = top, ContinuationToken = continuation };
        await foreach (var page in client.GetAllInstancesAsync(query).AsPages(continuation, top).WithCancellation(cancellationToken))
        {
            var images = from instance in page.Values
                         let reading = instance.ReadInputAs<ImageReading>()
                         where reading?.Image.StartsWith(prefix ?? "", StringComparison.Ordinal) == true
                         select new WaitingImage(reading.Image, reading.ETag, reading.UploadedAt, Describe(instance));
            return ([.. images], page.ContinuationToken);
        }
        return ([], null);
    }

    /// <summary>Counts the images whose readings are in progress, up to a few thousand.</summary>
    public static async Task<(int Images, bool IsComplete)> CountAsync(
        DurableTaskClient client, string? prefix, CancellationToken cancellationToken)
    {
        var query = InProgress with { PageSize = MostCounted, FetchInputsAndOutputs = prefix is not null };
        var readings = await client.GetAllInstancesAsync(query)
            .Take(MostCounted + 1).ToListAsync(cancellationToken);
        var images = readings.Count(instance =>
            prefix is null || instance.ReadInputAs<ImageReading>()?.Image.StartsWith(prefix, StringComparison.Ordinal) == true);
        return (Math.Min(images, MostCounted), readings.Count <= MostCounted);
    }

    /// <summary>Has images that wait for a model asked again at once: a model has been published.</summary>
    public static async Task WakeAsync(DurableTaskClient client, CancellationToken cancellationToken)
    {
        var waiting = client.GetAllInstancesAsync(InProgress)
            .Where(instance => Progress(instance)?.State == ReadingState.NotReady);
        var parallel = new ParallelOptions { MaxDegreeOfParallelism = AtOnce, CancellationToken = cancellationToken };
        await Parallel.ForEachAsync(waiting.Take(MostWoken), parallel, async (instance, stop) =>
            await client.RaiseEventAsync(instance.InstanceId, ReadImage.AskNow, cancellation: stop));
    }

    /// <summary>Purges the history of readings that ended long ago.</summary>
    /// <returns>The number of purged readings.</returns>
    public async Task<int> PurgeAsync(DurableTaskClient client, CancellationToken cancellationToken)
    {
        var ended = new OrchestrationQuery
        {
            InstanceIdPrefix = Prefix,
            CreatedTo = time.GetUtcNow() - options.Value.Predictions.KeepHistory,
            Statuses =
            [
                OrchestrationRuntimeStatus.Completed, OrchestrationRuntimeStatus.Failed, OrchestrationRuntimeStatus.Terminated,
            ],
        };
        var purged = 0;
        var parallel = new ParallelOptions { MaxDegreeOfParallelism = AtOnce, CancellationToken = cancellationToken };
        await Parallel.ForEachAsync(client.GetAllInstancesAsync(ended), parallel, async (instance, stop) =>
        {
            await client.PurgeInstanceAsync(instance.InstanceId, cancellation: stop);
            Interlocked.Increment(ref purged);
        });
        return purged;
    }

    private static OrchestrationQuery InProgress => new()
    {
        InstanceIdPrefix = Prefix,
        Statuses = [OrchestrationRuntimeStatus.Pending, OrchestrationRuntimeStatus.Running],
        FetchInputsAndOutputs = true,
    };

    private Task ScheduleAsync(DurableTaskClient client, string image, UploadedVersion version, CancellationToken cancellationToken) =>
        client.ScheduleNewOrchestrationInstanceAsync(
            nameof(ReadImage), Begin(image, version), new StartOrchestrationOptions(InstanceId: Id(image, version.ETag)),
            cancellationToken);

    private static ReadingProgress? Progress(OrchestrationMetadata instance) =>
        instance.SerializedCustomStatus is null ? null : instance.ReadCustomStatusAs<ReadingProgress>();

    private static string Describe(OrchestrationMetadata? instance) => instance switch
    {
        null => "the upload has not been noticed yet",
        { RuntimeStatus: OrchestrationRuntimeStatus.Failed } => $"the reading failed: {FailureReason.Of(instance)}",
        { IsCompleted: true } => "the reading has ended without a document: retry it",
        _ => Progress(instance)?.ToString() ?? "in progress",
    };
}
