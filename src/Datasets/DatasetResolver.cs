using System.Security.Cryptography;
using System.Text.Json;
using FunctionsPipeline.Contracts;

namespace FunctionsPipeline.Datasets;

/// <summary>Turns a request into pinned commits, checked columns, and units.</summary>
internal sealed class DatasetResolver(HubClient hub, IngestionOptions options)
{
    // Units are listed in durable state, so a large dataset gets larger units rather than more.
    private const int MaxUnits = 400;
    private const int FilesAtOnce = 8;

    // Of manifests, shards and catalog: a view that was written in an older one is not taken for whole.
    private const int Layout = 2;

    public async Task<ResolvedDataset> ResolveAsync(DatasetRequest request, CancellationToken cancellation)
    {
        var columns = request.Columns;
        if (columns.Title is null && columns.Category is null && columns.Price is null)
            throw new RequestException("dataset.columns", 400,
                "map at least one of title, category and price: there is nothing to learn about the images otherwise");
        var commit = await CommitAsync(request, request.Revision, cancellation);
        if (request.Revision != "main" && commit != await CommitAsync(request, "main", cancellation))
            throw new RequestException("dataset.revision", 400,
                $"the Hub keeps the Parquet form of the head of main only, and {request.Revision} is another commit");
        var (config, files) = await ListAsync(request, cancellation);
        var parquetCommit = await CommitAsync(request, HubClient.ParquetRevision, cancellation);
        var sized = new List<SizedFile>();
        foreach (var some in files.Chunk(FilesAtOnce))
            sized.AddRange(await Task.WhenAll(
                some.Select(file => MeasureAsync(request, parquetCommit, file, file == files[0], cancellation))));
        var splits = TakeEvenly(sized.GroupBy(f => f.Split).ToDictionary(g => g.Key, g => g.Sum(f => f.Rows)), request.MaxRows);
        return new ResolvedDataset
        {
            Request = request with { Config = config },
            Commit = commit,
            ParquetCommit = parquetCommit,
            Config = config,
            View = ViewOf(request, config, parquetCommit),
            Splits = splits,
            Units = [.. Units(sized, splits)],
        };
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

    private async Task<(string Config, List<HubParquetFile> Files)> ListAsync(DatasetRequest request, CancellationToken cancellation)
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
        return files.Count > 0 ? (config, files) : throw new RequestException("dataset.config", 404,
            $"{request.Repo} has no configuration '{config}'; it has: {string.Join(", ", all.Select(f => f.Config).Distinct())}");
    }

    private async Task<SizedFile> MeasureAsync(DatasetRequest request, string commit, HubParquetFile file, bool checkColumns,
        CancellationToken cancellation)
    {
        await using var stream = await hub.OpenAsync(HubRepositoryKind.Dataset, request.Repo, commit, file.Path, cancellation);
        await using var parquet = await ParquetFile.OpenAsync(stream, cancellation);
        if (checkColumns) ColumnFields.Find(parquet, request.Columns);
        // A split beyond 5 GB is listed as partial-…, with as much of it as the Hub has converted.
        const string Partial = "partial-";
        var split = file.Split.StartsWith(Partial, StringComparison.Ordinal) ? file.Split[Partial.Length..] : file.Split;
        return new SizedFile(split, file.Path, parquet.RowCount);
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

    private IEnumerable<IngestUnit> Units(List<SizedFile> files, Dictionary<string, SplitRows> splits)
    {
        var unitRows = Math.Max(options.UnitRows, (splits.Values.Sum(s => s.Taken) + MaxUnits - 1) / MaxUnits);
        var ends = new Dictionary<string, long>();
        var number = 0;
        foreach (var file in files)
        {
            var (split, fileStart) = (splits[file.Split], ends.GetValueOrDefault(file.Split));
            ends[file.Split] = fileStart + file.Rows;
            var start = fileStart;
            for (var row = fileStart; row < fileStart + file.Rows; row++)
            {
                var next = row + 1;
                if (split.TakenBefore(next) - split.TakenBefore(start) < unitRows && next < fileStart + file.Rows) continue;
                if (split.TakenBefore(next) > split.TakenBefore(start))
                    yield return new IngestUnit(number++, file.Split, file.Path, fileStart, start, next - start);
                start = next;
            }
        }
    }

    private string ViewOf(DatasetRequest request, string config, string parquetCommit)
    {
        var decides = JsonSerializer.SerializeToUtf8Bytes(
            new
            {
                Layout, config, parquetCommit, request.Columns, request.MaxRows, request.ValidationFraction, request.TestFraction,
                options.UnitRows,
            },
            PipelineJson.Compact);
        return Convert.ToHexStringLower(SHA256.HashData(decides))[..12];
    }

    private static RequestException NoParquet(DatasetRequest request) =>
        new("dataset.repo", 400,
            $"the Hub has no Parquet form of {request.Repo} (yet): it converts public datasets some minutes after a change");

    private sealed record SizedFile(string Split, string Path, long Rows);
}
