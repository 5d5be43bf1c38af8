using System.Globalization;
using Azure;
using Azure.Storage.Blobs;
using Azure.Storage.Blobs.Models;
using FunctionsPipeline.Contracts;

namespace FunctionsPipeline.FunctionApp.Runs;

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
        var entry = name.AsSpan(RunBlobs.Index.Length);
        var ticks = DateTimeOffset.MaxValue.UtcTicks - long.Parse(entry[..TickDigits], CultureInfo.InvariantCulture);
        return (entry[(TickDigits + 1)..].ToString(), new DateTimeOffset(ticks, TimeSpan.Zero));
    }
}
