using System.Globalization;
using System.Text.Json;
using Azure.Storage.Blobs;
using Azure.Storage.Blobs.Models;
using FunctionsPipeline.Contracts;
using FunctionsPipeline.Datasets.Storage;

namespace FunctionsPipeline.Datasets;

/// <summary>Reads ingested datasets for people who look at them: lists them, pages through their rows, finds their images.</summary>
public sealed class StoredDatasets(BlobServiceClient blobs)
{
    private const int LookupsAtOnce = 8;

    // Bounds the time of one request for a page when few rows pass the filter.
    private const long MostBytes = 4 * 1024 * 1024;

    private static readonly IReadOnlyDictionary<long, MergedRow> NoneMerged = new Dictionary<long, MergedRow>();

    private readonly BlobContainerClient _container = blobs.GetBlobContainerClient(Containers.Datasets);

    /// <summary>Lists the ingested datasets of the Hub, the last one first.</summary>
    public async Task<IReadOnlyList<DatasetView>> ListAsync(CancellationToken cancellationToken)
    {
        var views = new List<DatasetBlobs>();
        await foreach (var slug in FoldersAsync("", cancellationToken))
        {
            // Corrections have a folder that is no repository's.
            if (BlobNames.HubRepo(slug) is not { } repo) continue;
            await foreach (var commit in FoldersAsync($"{slug}/", cancellationToken))
            {
                if (!IsCommit(commit)) continue;
                await foreach (var view in FoldersAsync($"{slug}/{commit}/", cancellationToken))
                    views.Add(new DatasetBlobs(repo, commit, view));
            }
        }
        var found = new DatasetView?[views.Count];
        var parallel = new ParallelOptions { MaxDegreeOfParallelism = LookupsAtOnce, CancellationToken = cancellationToken };
        await Parallel.ForAsync(0, views.Count, parallel, async (i, stop) => found[i] = await FindAsync(views[i], stop));
        return [.. found.OfType<DatasetView>().OrderByDescending(view => view.IngestedAt)];
    }

    /// <summary>Reads the report of an ingested dataset; null when there is none, or not yet.</summary>
    public Task<IngestReport?> ReportAsync(DatasetBlobs dataset, CancellationToken cancellationToken) =>
        new ReportStore(_container).FindAsync(dataset, cancellationToken);

    /// <summary>Returns the client of the image of a row.</summary>
    public BlobClient Image(string repo, string sha256) =>
        _container.GetBlobClient(new DatasetBlobs(repo, "", "").Image(sha256));

    /// <summary>Reads a page of rows, in the order of their splits and indices; null when no unit has been ingested.</summary>
    /// <param name="top">Maximum number of rows; fewer can come although there are more.</param>
    /// <param name="continuation">Continuation of the page before; null for the first page.</param>
    /// <exception cref="FormatException">The continuation is none.</exception>
    public async Task<RowPage?> RowsAsync(
        DatasetBlobs dataset, RowFilter filter, int top, string? continuation, CancellationToken cancellationToken)
    {
        var (from, offset) = Parse(continuation);
        var manifests = new ManifestStore(_container);
        var units = await manifests.UnitsAsync(dataset, cancellationToken).ToListAsync(cancellationToken);
        if (units.Count == 0) return null;
        if (from is not null && units.All(unit => unit.Name != from)) throw new FormatException($"There is no unit {from}.");
        var (duplicates, products) = (new DuplicateRows(_container, dataset), new ProductRows(_container, dataset));
        var withDuplicates = await duplicates.UnitsAsync(cancellationToken);
        var withMerged = await products.UnitsAsync(cancellationToken);
        var rows = new List<ManifestRow>();
        var left = MostBytes;
        foreach (var (unit, counts) in units.Where(unit => from is null || string.CompareOrdinal(unit.Name, from) >= 0))
        {
            if (filter.MayPass(counts, withDuplicates.Contains(unit)))
            {
                var repeated = withDuplicates.Contains(unit) ? await duplicates.ReadAsync(unit, cancellationToken) : new HashSet<long>();
                var merged = withMerged.Contains(unit) ? await products.ReadAsync(unit, cancellationToken) : NoneMerged;
                var start = unit == from ? offset : 0;
                await foreach (var (line, end) in manifests.Blob(dataset, unit).ReadLinesAsync(start, cancellationToken))
                {
                    if (rows.Count == top || left <= 0) return new RowPage(rows, $"{unit}:{start}");
                    var row = JsonSerializer.Deserialize<ManifestRow>(line.Span, PipelineJson.Compact)!;
                    if (repeated.Contains(row.Row)) row = row with { State = RowState.Duplicate };
                    if (filter.Passes(row)) rows.Add(ProductRows.Mark(row, merged));
                    (left, start) = (left - (end - start), end);
                }
            }
        }
        return new RowPage(rows, null);
    }

    // {unit}:{offset in its manifest}
    private static (string? Unit, long Offset) Parse(string? continuation)
    {
        if (continuation is null) return (null, 0);
        var colon = continuation.LastIndexOf(':');
        return colon > 0 && long.TryParse(continuation[(colon + 1)..], NumberStyles.None, CultureInfo.InvariantCulture, out var offset)
            ? (continuation[..colon], offset)
            : throw new FormatException($"'{continuation}' is no continuation.");
    }

    private static bool IsCommit(string folder) => folder.Length is 40 or 64 && folder.All(char.IsAsciiHexDigitLower);

    private async IAsyncEnumerable<string> FoldersAsync(
        string prefix, [System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var options = new GetBlobsByHierarchyOptions { Prefix = prefix, Delimiter = "/" };
        await foreach (var item in _container.GetBlobsByHierarchyAsync(options, cancellationToken))
            if (item.IsPrefix) yield return item.Prefix[prefix.Length..^1];
    }

    // Null when the ingestion has not ended.
    private async Task<DatasetView?> FindAsync(DatasetBlobs view, CancellationToken cancellationToken) =>
        await _container.GetBlobClient(view.Report).FindPropertiesAsync(cancellationToken) is { } report
            ? new DatasetView(view.Repo, view.Commit, view.View, report.LastModified)
            : null;
}

/// <summary>Conditions on rows; null for all.</summary>
/// <param name="Reason">One of <see cref="Rejection"/>.</param>
/// <param name="Split">One of <see cref="Splits"/>.</param>
public sealed record RowFilter(RowState? State = null, string? Reason = null, string? Split = null)
{
    internal bool Passes(ManifestRow row) =>
        (State is not { } state || row.State == state) && (Reason is null || row.Reason == Reason) && (Split is null || row.Split == Split);

    /// <summary>False when no row of a unit can pass, by the unit's counts, in which duplicates are stored rows.</summary>
    internal bool MayPass(RowCounts counts, bool hasDuplicates) =>
        (Reason is null || counts.RejectedBy.ContainsKey(Reason)) && State switch
        {
            RowState.Stored => counts.Stored > 0,
            RowState.Duplicate => hasDuplicates,
            RowState.Rejected => counts.Rejected > 0,
            _ => true,
        };
}
