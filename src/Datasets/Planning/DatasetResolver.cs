using System.Security.Cryptography;
using System.Text.Json;
using FunctionsPipeline.Contracts;
using FunctionsPipeline.Datasets.Sources;

namespace FunctionsPipeline.Datasets.Planning;

/// <summary>Resolves a request to pinned commits, checked columns and a plan.</summary>
internal sealed class DatasetResolver(DatasetLookup lookup, PlanStore plans, IngestionOptions options)
{
    // Version of the format of plans, manifests, shards and catalogs. Part of the view's hash, so that views in an older format are
    // ingested again.
    public const int Layout = 5;

    /// <summary>Validates a request against the schema of one file of the dataset.</summary>
    public async Task<CheckedDataset> CheckAsync(DatasetRequest request, CancellationToken cancellationToken)
    {
        if (request.View is { } view)
            return new CheckedDataset(request, (await FindAsync(request, view, cancellationToken)).Columns);
        var commits = await lookup.PinAsync(request, cancellationToken);
        var pinned = request with { Revision = commits.Dataset };
        if (await plans.FindAsync(BlobsOf(request, commits), cancellationToken) is { } plan)
            return new CheckedDataset(pinned, plan.Columns);
        var listed = await lookup.ListAsync(request, commits, cancellationToken);
        var columns = await lookup.ReadHeadAsync(request, commits, listed.Files[0],
            (file, _) => ChosenColumns.ForAsync(file, request.Columns, cancellationToken), cancellationToken);
        return new CheckedDataset(pinned, columns.Mapping);
    }

    /// <summary>Keeps a list of the tables that have to be converted to Parquet before the plan is made.</summary>
    /// <returns>The view, and the number of tables, 0 for none.</returns>
    public async Task<(DatasetBlobs Dataset, int Count)> FindTablesAsync(DatasetRequest request, CancellationToken cancellationToken)
    {
        if (request.View is { } view) return (new DatasetBlobs(request.Repo, request.Revision, view), 0);
        var commits = await lookup.PinAsync(request, cancellationToken);
        var blobs = BlobsOf(request, commits);
        if (commits.Own is null || await plans.FindAsync(blobs, cancellationToken) is not null) return (blobs, 0);
        var listed = await lookup.ListAsync(request, commits, cancellationToken);
        SourceTable[] tables = [.. listed.Files.Select(file => file.Table).OfType<SourceTable>()];
        await plans.KeepTablesAsync(blobs, request, tables, cancellationToken);
        return (blobs, tables.Length);
    }

    /// <summary>Returns the plan of a request; creates the plan unless it exists.</summary>
    public async Task<IngestPlan> ResolveAsync(DatasetRequest request, CancellationToken cancellationToken)
    {
        if (request.View is { } view) return await FindAsync(request, view, cancellationToken);
        var commits = await lookup.PinAsync(request, cancellationToken);
        var blobs = BlobsOf(request, commits);
        if (await plans.FindAsync(blobs, cancellationToken) is { } plan) return plan;
        var listed = await lookup.ListAsync(request, commits, cancellationToken);
        var (columns, first) = await lookup.ReadAsync(request, commits, listed.Files[0], async file =>
            (await ChosenColumns.ForAsync(file, request.Columns, cancellationToken), MeasuredFile.Of(listed.Files[0], file)),
            cancellationToken);
        List<MeasuredFile> files = [first, .. await lookup.MeasureAsync(request, commits, listed.Files.Skip(1), cancellationToken)];
        CheckTables(files, columns.Mapping);
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
            AsOf = listed.AsOf,
            Config = listed.Config,
            View = blobs.View,
            Splits = splits,
            Files = planner.Files.Count,
            Units = planner.Units.Count,
            UnitsPerShard = planner.UnitsPerShard,
        }, planner.Files, planner.Units, cancellationToken);
    }

    // The Hub's converted files have the same columns; those of people may not.
    private static void CheckTables(List<MeasuredFile> files, ColumnMapping mapping)
    {
        foreach (var file in files)
        {
            if (mapping.Names.FirstOrDefault(column => !file.Columns.Contains(column)) is not { } missing) continue;
            throw new RequestException("dataset.columns", 400, $"the tables have different columns: {file.Hub.Path} has no '{missing}', "
                + $"as {files[0].Hub.Path} has; it has: {string.Join(", ", file.Columns)}. Give them the same columns, or name a folder "
                + "with tables that have");
        }
    }

    private async Task<IngestPlan> FindAsync(DatasetRequest request, string view, CancellationToken cancellationToken) =>
        await plans.FindAsync(new DatasetBlobs(request.Repo, request.Revision, view), cancellationToken)
        ?? throw new RequestException("dataset.view", 404,
            $"{request.Repo} has no ingested view '{view}' at {request.Revision}; GET /api/datasets lists the views");

    private static Dictionary<string, SplitRows> TakeEvenly(Dictionary<string, long> totals, int? maxRows)
    {
        var all = totals.Values.Sum();
        var wanted = Math.Min(maxRows ?? all, all);
        var splits = new Dictionary<string, SplitRows>();
        long seen = 0;
        foreach (var (split, total) in totals)
        {
            // Splits get wanted · total / all rows each; differences of running sums make the rounded shares add up to the wanted number.
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
                Layout, commits.Parquet, request.Source, request.Config, request.Columns, request.Images, request.MaxImages,
                request.MaxRows, request.ValidationFraction, request.TestFraction, options.UnitRows,
            },
            PipelineJson.Compact);
        return new DatasetBlobs(request.Repo, commits.Dataset, Convert.ToHexStringLower(SHA256.HashData(decides))[..12]);
    }
}

/// <summary>A dataset of a valid request.</summary>
/// <param name="Pinned">The request with the commit that its revision resolves to.</param>
/// <param name="Columns">The columns that ingestion reads.</param>
public sealed record CheckedDataset(DatasetRequest Pinned, ColumnMapping Columns);
