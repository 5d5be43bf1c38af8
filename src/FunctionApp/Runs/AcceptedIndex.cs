using System.Globalization;
using Azure;
using Azure.Storage.Blobs;
using Azure.Storage.Blobs.Models;
using FunctionsPipeline.Contracts;

namespace FunctionsPipeline.FunctionApp.Runs;

/// <summary>Index of accepted runs, newest first.</summary>
public sealed class RunIndex(BlobServiceClient blobs) : AcceptedIndex(blobs, RunBlobs.Index);

/// <summary>Index of accepted sweeps, newest first.</summary>
public sealed class SweepIndex(BlobServiceClient blobs) : AcceptedIndex(blobs, RunBlobs.SweepIndex);

/// <summary>
/// Index of accepted requests, newest first: one empty blob per request, whose name holds the inverted time and the id. Blobs list in
/// ascending order, so that the newest comes first.
/// </summary>
/// <param name="prefix">Prefix of the index's blobs; ids have no underscores, so that one cannot collide with it.</param>
/// <remarks>The Durable Task storage cannot page runs by time: it sorts by id and mixes runs with their sub-orchestrations.</remarks>
public abstract class AcceptedIndex(BlobServiceClient blobs, string prefix)
{
    // Holds the largest number of ticks: names of equal length sort like numbers.
    private const int TickDigits = 19;

    private BlobContainerClient Container => blobs.GetBlobContainerClient(Containers.Runs);

    public Task AddAsync(string id, DateTimeOffset acceptedAt, CancellationToken cancellationToken) =>
        Entry(id, acceptedAt).UploadAsync(BinaryData.Empty, overwrite: true, cancellationToken);

    public Task RemoveAsync(string id, DateTimeOffset acceptedAt) => Entry(id, acceptedAt).DeleteIfExistsAsync();

    /// <summary>Returns the time of acceptance of the newest id that starts with a prefix; null when there is none.</summary>
    public async Task<DateTimeOffset?> NewestAsync(string idPrefix, CancellationToken cancellationToken) =>
        await Container.GetBlobsAsync(new GetBlobsOptions { Prefix = prefix }, cancellationToken).Select(blob => Parse(blob.Name))
            .Where(entry => entry.Id.StartsWith(idPrefix, StringComparison.Ordinal))
            .Select(entry => (DateTimeOffset?)entry.AcceptedAt).FirstOrDefaultAsync(cancellationToken);

    /// <summary>Reads one page of the ids that were accepted in a time range, both ends included.</summary>
    /// <param name="most">Maximum number of ids on the page. A page may hold fewer or none and still have a successor.</param>
    /// <param name="continuation">Continuation token of the previous page; null for the first page.</param>
    public async Task<(IReadOnlyList<string> Ids, string? Continuation)> ReadAsync(
        DateTimeOffset? from, DateTimeOffset? to, int most, string? continuation, CancellationToken cancellationToken)
    {
        try
        {
            await foreach (var page in Container.GetBlobsAsync(new GetBlobsOptions { Prefix = prefix }, cancellationToken)
                .AsPages(continuation, most).WithCancellation(cancellationToken))
            {
                var entries = page.Values.Select(blob => Parse(blob.Name)).ToList();
                var ids = entries.Where(entry => !(entry.AcceptedAt < from) && !(entry.AcceptedAt > to)).Select(entry => entry.Id);
                // Entries list newest first, so that one before the range ends it. Those after the range are read and skipped.
                var isLast = string.IsNullOrEmpty(page.ContinuationToken) || entries.Count > 0 && entries[^1].AcceptedAt < from;
                return ([.. ids], isLast ? null : page.ContinuationToken);
            }
        }
        catch (RequestFailedException e) when (e.ErrorCode == BlobErrorCode.ContainerNotFound)
        {
            // The container does not exist yet, so nothing was accepted.
        }
        return ([], null);
    }

    private BlobClient Entry(string id, DateTimeOffset acceptedAt) =>
        Container.GetBlobClient($"{prefix}{(DateTimeOffset.MaxValue.UtcTicks - acceptedAt.UtcTicks).ToString($"D{TickDigits}")}-{id}");

    private (string Id, DateTimeOffset AcceptedAt) Parse(string name)
    {
        // {prefix}{19 digits: ticks from the acceptance to the end of time}-{id}
        var entry = name.AsSpan(prefix.Length);
        var ticks = DateTimeOffset.MaxValue.UtcTicks - long.Parse(entry[..TickDigits], CultureInfo.InvariantCulture);
        return (entry[(TickDigits + 1)..].ToString(), new DateTimeOffset(ticks, TimeSpan.Zero));
    }
}
