using System.Security.Cryptography;
using System.Text.Json;
using FunctionsPipeline.Contracts;

namespace FunctionsPipeline.Datasets;

/// <summary>Resolves a request to pinned commits, checked columns and a plan.</summary>
internal sealed class DatasetResolver(DatasetLookup lookup, PlanStore plans, IngestionOptions options)
{
    // Version of the format of plans, manifests, shards and catalogs. Part of the view's hash, so that views in an older format are
    // ingested again.
    private const int Layout = 3;

    /// <summary>Validates a request against the schema of one file of the dataset; returns the commit that it resolves to.</summary>
    public async Task<string> CheckAsync(DatasetRequest request, CancellationToken cancellationToken)
    {
        var commits = await lookup.PinAsync(request, cancellationToken);
        if (await plans.FindAsync(BlobsOf(request, commits), cancellationToken) is not null) return commits.Dataset;
        var listed = await lookup.ListAsync(request, commits, cancellationToken);
        await lookup.ReadAsync(request, commits, listed.Files[0], file => ChosenColumns.ForAsync(file, request.Columns, cancellationToken), cancellationToken);
        return commits.Dataset;
    }

    /// <summary>Returns the plan of a request; creates the plan unless it exists.</summary>
    public async Task<IngestPlan> ResolveAsync(DatasetRequest request, CancellationToken cancellationToken)
    {
        var commits = await lookup.PinAsync(request, cancellationToken);
        var blobs = BlobsOf(request, commits);
        if (await plans.FindAsync(blobs, cancellationToken) is { } plan) return plan;
        var listed = await lookup.ListAsync(request, commits, cancellationToken);
        var (columns, first) = await lookup.ReadAsync(request, commits, listed.Files[0], async file =>
            (await ChosenColumns.ForAsync(file, request.Columns, cancellationToken), MeasuredFile.Of(listed.Files[0], file)), cancellationToken);
        List<MeasuredFile> files = [first, .. await lookup.MeasureAsync(request, commits, listed.Files.Skip(1), cancellationToken)];
        var splits = TakeEvenly(files.GroupBy(f => f.Split).ToDictionary(g => g.Key, g => g.Sum(f => f.Rows)), request.MaxRows);
        var planner = new UnitPlanner(splits, options.UnitRows, columns.ImageIsEmbedded);
        foreach (var file in files) planner.Add(file);
        return await plans.KeepAsync(new IngestPlan
        {
            Request = request,
            Columns = columns.Mapping,
            ColumnsGuess = columns.Guess,
            Commit = commits.Dataset,
            ParquetCommit = commits.Parquet,
            Config = listed.Config,
            View = blobs.View,
            Splits = splits,
            Files = planner.Files,
            Units = planner.Units,
            UnitsPerShard = planner.UnitsPerShard,
        }, cancellationToken);
    }

    private static Dictionary<string, SplitRows> TakeEvenly(Dictionary<string, long> totals, int? maxRows)
    {
        var all = totals.Values.Sum();
        var wanted = Math.Min(maxRows ?? all, all);
        var splits = new Dictionary<string, SplitRows>();
        long seen = 0;
        foreach (var (split, total) in totals)
        {
            var before = (long)((Int128)seen * wanted / Math.Max(1, all));
            seen += total;
            splits[split] = new SplitRows(total, (long)((Int128)seen * wanted / Math.Max(1, all)) - before);
        }
        return splits;
    }

    private DatasetBlobs BlobsOf(DatasetRequest request, PinnedCommits commits)
    {
        var decides = JsonSerializer.SerializeToUtf8Bytes(
            new
            {
                Layout, commits.Parquet, request.Config, request.Columns, request.MaxRows, request.ValidationFraction, request.TestFraction,
                options.UnitRows,
            },
            PipelineJson.Compact);
        return new DatasetBlobs(request.Repo, commits.Dataset, Convert.ToHexStringLower(SHA256.HashData(decides))[..12]);
    }
}
