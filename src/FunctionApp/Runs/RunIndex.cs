using System.Globalization;
using Azure;
using Azure.Storage.Blobs;
using Azure.Storage.Blobs.Models;
using FunctionsPipeline.Contracts;

namespace FunctionsPipeline.FunctionApp.Runs;

/// <summary>All accepted runs, newest first: an empty blob for each, whose name holds the time and the run.</summary>
/// <remarks>The storage of orchestrations sorts by id, and has the sub-orchestrations of all runs between the runs.</remarks>
public sealed class RunIndex(BlobServiceClient blobs)
{
    private const int TickDigits = 19;

    private BlobContainerClient Container => blobs.GetBlobContainerClient(Containers.Runs);

    public Task AddAsync(string run, DateTimeOffset acceptedAt, CancellationToken cancellationToken) =>
        Container.GetBlobClient(new RunBlobs(run).IndexEntry(acceptedAt)).UploadAsync(BinaryData.Empty, overwrite: true, cancellationToken);

    public Task RemoveAsync(string run, DateTimeOffset acceptedAt) =>
        Container.GetBlobClient(new RunBlobs(run).IndexEntry(acceptedAt)).DeleteIfExistsAsync();

    /// <summary>Reads one page of runs that were accepted in a span of time, both ends included.</summary>
    /// <param name="most">Runs on the page at most; there may be fewer, or none, and a page after it.</param>
    /// <param name="continuation">Of the page before; null for the first page.</param>
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
                var isLast = string.IsNullOrEmpty(page.ContinuationToken) || entries.Count > 0 && entries[^1].AcceptedAt < from;
                return ([.. runs], isLast ? null : page.ContinuationToken);
            }
        }
        catch (RequestFailedException e) when (e.ErrorCode == BlobErrorCode.ContainerNotFound)
        {
            // The containers are still to be created: there is no run.
        }
        return ([], null);
    }

    private static (string Run, DateTimeOffset AcceptedAt) Parse(string name)
    {
        var entry = name.AsSpan(RunBlobs.Index.Length);
        var ticks = DateTimeOffset.MaxValue.UtcTicks - long.Parse(entry[..TickDigits], CultureInfo.InvariantCulture);
        return (entry[(TickDigits + 1)..].ToString(), new DateTimeOffset(ticks, TimeSpan.Zero));
    }
}
