using System.Security.Cryptography;
using System.Text.Json;
using FunctionsPipeline.Contracts;
using Parquet;

namespace FunctionsPipeline.Datasets;

/// <summary>Turns a request into pinned commits, checked columns, and a plan.</summary>
internal sealed class DatasetResolver(HubClient hub, PlanStore plans, IngestionOptions options)
{
    private const int FilesAtOnce = 8;

    // Of plans, manifests, shards and catalog: a view that was written in an older one is not taken for whole.
    private const int Layout = 3;

    /// <summary>Checks a request as far as one file of the dataset tells, and says which commit it means.</summary>
    public async Task<string> CheckAsync(DatasetRequest request, CancellationToken cancellation)
    {
        var pin = await PinAsync(request, cancellation);
        if (await plans.FindAsync(pin.Blobs, cancellation) is not null) return pin.Commit;
        var (_, files) = await ListAsync(request, pin, cancellation);
        await MeasureAsync(request, pin, files[0], checkColumns: true, cancellation);
        return pin.Commit;
    }

    /// <summary>The plan of a request, made now or before.</summary>
    public async Task<IngestPlan> ResolveAsync(DatasetRequest request, CancellationToken cancellation)
    {
        var pin = await PinAsync(request, cancellation);
        if (await plans.FindAsync(pin.Blobs, cancellation) is { } plan) return plan;
        var (config, files) = await ListAsync(request, pin, cancellation);
        var first = await MeasureAsync(request, pin, files[0], checkColumns: true, cancellation);
        var measured = new List<MeasuredFile> { first.File };
        foreach (var some in files.Skip(1).Chunk(FilesAtOnce))
            measured.AddRange((await Task.WhenAll(some.Select(file => MeasureAsync(request, pin, file, checkColumns: false, cancellation))))
                .Select(file => file.File));
        var splits = TakeEvenly(measured.GroupBy(f => f.Split).ToDictionary(g => g.Key, g => g.Sum(f => f.Rows)), request.MaxRows);
        var planner = new UnitPlanner(splits, options.UnitRows, first.Columns!.ImageIsEmbedded);
        foreach (var file in measured) planner.Add(file);
        return await plans.KeepAsync(new IngestPlan
        {
            Request = request,
            Columns = first.Columns.Mapping,
            Commit = pin.Commit,
            ParquetCommit = pin.ParquetCommit,
            Config = config,
            View = pin.Blobs.View,
            Splits = splits,
            Files = planner.Files,
            Units = planner.Units,
            UnitsPerShard = planner.UnitsPerShard,
        }, cancellation);
    }

    private async Task<Pin> PinAsync(DatasetRequest request, CancellationToken cancellation)
    {
        if (request.Columns is { Title: null, Category: null, Price: null })
            throw new RequestException("dataset.columns", 400,
                "map at least one of title, category and price: there is nothing to learn about the images otherwise");
        var commit = await CommitAsync(request, request.Revision, cancellation);
        if (request.Revision != "main" && commit != await CommitAsync(request, "main", cancellation))
            throw new RequestException("dataset.revision", 400,
                $"the Hub keeps the Parquet form of the head of main only, and {request.Revision} is another commit");
        var parquetCommit = await CommitAsync(request, HubClient.ParquetRevision, cancellation);
        return new Pin(commit, parquetCommit, new DatasetBlobs(request.Repo, commit, ViewOf(request, parquetCommit)));
    }

    private async Task<string> CommitAsync(DatasetRequest request, string revision, CancellationToken cancellation)
    {
        try
        {
            return await hub.GetCommitAsync(HubRepositoryKind.Dataset, request.Repo, revision, cancellation);
        }
        catch (HubException e) when (e.Error == HubError.RevisionNotFound && revision == HubClient.ParquetRevision)
        {
            throw NoParquet(request);
        }
        catch (HubException e) when (!e.IsTransient)
        {
            throw HubRefusal.For("dataset", request.Repo, revision, e);
        }
    }

    private async Task<(string Config, IReadOnlyList<ListedFile> Files)> ListAsync(DatasetRequest request, Pin pin,
        CancellationToken cancellation)
    {
        IReadOnlyList<HubParquetFile> all;
        try
        {
            all = await hub.ListParquetAsync(request.Repo, cancellation);
        }
        catch (HubException e) when (!e.IsTransient)
        {
            throw NoParquet(request);
        }
        if (all.Count == 0) throw NoParquet(request);
        var config = request.Config ?? all[0].Config;
        var files = all.Where(f => f.Config == config).ToList();
        if (files.Count == 0)
            throw new RequestException("dataset.config", 404,
                $"{request.Repo} has no configuration '{config}'; it has: {string.Join(", ", all.Select(f => f.Config).Distinct())}");
        var tree = (await hub.ListFilesAsync(HubRepositoryKind.Dataset, request.Repo, pin.ParquetCommit, cancellation))
            .ToDictionary(file => file.Path);
        return (config, [.. files.Select(file => new ListedFile(SplitOf(file), tree.GetValueOrDefault(file.Path)
            ?? throw new HubException(HubError.Unavailable, $"the Hub lists {file.Path} of {request.Repo}, but not in commit {pin.ParquetCommit}: it is being changed")))]);
    }

    // A split beyond 5 GB is listed as partial-…, with as much of it as the Hub has converted.
    private static string SplitOf(HubParquetFile file)
    {
        const string Partial = "partial-";
        return file.Split.StartsWith(Partial, StringComparison.Ordinal) ? file.Split[Partial.Length..] : file.Split;
    }

    private async Task<(MeasuredFile File, ColumnFields? Columns)> MeasureAsync(DatasetRequest request, Pin pin, ListedFile file,
        bool checkColumns, CancellationToken cancellation)
    {
        await using var stream = await hub.OpenAsync(HubRepositoryKind.Dataset, request.Repo, pin.ParquetCommit, file.Hub.Path, cancellation);
        await using var reader = await ParquetReader.CreateAsync(stream, leaveStreamOpen: true, cancellationToken: cancellation);
        var columns = checkColumns ? ColumnFields.Find(reader, request.Columns!) : null;
        return (new MeasuredFile(file.Split, file.Hub, [.. reader.Metadata!.RowGroups.Select(g => g.NumRows)]), columns);
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

    private string ViewOf(DatasetRequest request, string parquetCommit)
    {
        var decides = JsonSerializer.SerializeToUtf8Bytes(
            new
            {
                Layout, parquetCommit, request.Config, request.Columns, request.MaxRows, request.ValidationFraction, request.TestFraction,
                options.UnitRows,
            },
            PipelineJson.Compact);
        return Convert.ToHexStringLower(SHA256.HashData(decides))[..12];
    }

    private static RequestException NoParquet(DatasetRequest request) =>
        new("dataset.repo", 400,
            $"the Hub has no Parquet form of {request.Repo} (yet): it converts public datasets some minutes after a change");

    private sealed record Pin(string Commit, string ParquetCommit, DatasetBlobs Blobs);

    private sealed record ListedFile(string Split, HubFileInfo Hub);
}
