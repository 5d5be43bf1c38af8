using System.Security.Cryptography;
using System.Text.Json;
using FunctionsPipeline.Contracts;
using FunctionsPipeline.Datasets.Hub;
using FunctionsPipeline.Datasets.Rows;

namespace FunctionsPipeline.Datasets.Planning;

/// <summary>Resolves a request to pinned commits, checked columns and a plan.</summary>
internal sealed class DatasetResolver(DatasetLookup lookup, PlanStore plans, IngestionOptions options)
{
    // Version of the format of plans, manifests, shards and catalogs. Part of the view's hash, so that views in an older format are
    // ingested again.
    public const int Layout = 4;

    /// <summary>Validates a request against the schema of one file of the dataset; returns the commit that it resolves to.</summary>
    public async Task<string> CheckAsync(DatasetRequest request, CancellationToken cancellationToken)
    {
        var commits = await lookup.PinAsync(request, cancellationToken);
        if (await plans.FindAsync(BlobsOf(request, commits), cancellationToken) is not null) return commits.Dataset;
        var listed = await lookup.ListAsync(request, commits, cancellationToken);
        await lookup.ReadAsync(request, commits, listed.Files[0],
            file => ChosenColumns.ForAsync(file, request.Columns, cancellationToken), cancellationToken);
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
            (await ChosenColumns.ForAsync(file, request.Columns, cancellationToken), MeasuredFile.Of(listed.Files[0], file)),
            cancellationToken);
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
                Layout, commits.Parquet, request.Source, request.Config, request.Columns, request.Images, request.MaxImages, request.MaxRows,
                request.ValidationFraction, request.TestFraction, options.UnitRows,
            },
            PipelineJson.Compact);
        return new DatasetBlobs(request.Repo, commits.Dataset, Convert.ToHexStringLower(SHA256.HashData(decides))[..12]);
    }
}

/// <summary>Inspects a dataset's structure and the column mapping that ingestion would use, without storing anything.</summary>
internal sealed class DatasetInspector(DatasetLookup lookup)
{
    private const int SampledRows = 5;

    // Counting rows takes one request per file, for its footer.
    private const int MostFilesCounted = 100;

    /// <exception cref="RequestException">The repository, revision or configuration does not exist, or columns of the request are missing
    /// or have unsuitable types.</exception>
    public async Task<DatasetInspection> InspectAsync(DatasetRequest request, CancellationToken cancellationToken)
    {
        var commits = await lookup.PinAsync(request, cancellationToken);
        var listed = await lookup.ListAsync(request, commits, cancellationToken);
        var rows = listed.Files.Count > MostFilesCounted ? null
            : (await lookup.MeasureAsync(request, commits, listed.Files, cancellationToken)).GroupBy(file => file.Split)
                .ToDictionary(split => split.Key, split => split.Sum(file => file.Rows));
        return await lookup.ReadAsync(request, commits, listed.Files[0], async file =>
        {
            var (mapping, guess) = await ColumnsAsync(file, request.Columns, cancellationToken);
            return new DatasetInspection
            {
                Repo = request.Repo,
                Commit = commits.Dataset,
                Configs = listed.Configs,
                Config = listed.Config,
                Splits = listed.Files.GroupBy(f => f.Split).ToDictionary(split => split.Key,
                    split => new SplitSize(split.Count(), split.Sum(f => f.Hub.Size), rows?[split.Key])),
                Columns = file.DescribeColumns(),
                SampleRows = await SampleRows.ReadAsync(file, SampledRows, cancellationToken),
                Mapping = mapping,
                Guess = guess,
            };
        }, cancellationToken);
    }

    // A failed guess is part of the response rather than an error: the user needs the list of columns to map them.
    private static async Task<(ColumnMapping? Mapping, string? Guess)> ColumnsAsync(
        ParquetFile file, ColumnMapping? wanted, CancellationToken cancellationToken)
    {
        try
        {
            var columns = await ChosenColumns.ForAsync(file, wanted, cancellationToken);
            return (columns.Mapping, columns.Guess);
        }
        catch (RequestException e) when (wanted is null)
        {
            return (null, e.Message);
        }
    }
}

/// <summary>The columns that ingestion reads.</summary>
/// <param name="Guess">Reasons for the guessed columns; null when the request names the columns.</param>
/// <param name="ImageIsEmbedded">True when the images are embedded in the files rather than given by URL.</param>
internal sealed record ChosenColumns(ColumnMapping Mapping, string? Guess, bool ImageIsEmbedded)
{
    private const int RowsToGuessFrom = 5;

    /// <summary>
    /// Checks the request's columns against the schema of a file, or guesses them from the file when the request names none.
    /// </summary>
    /// <exception cref="RequestException">A column does not exist or has an unsuitable type, or the columns cannot be guessed.</exception>
    public static async Task<ChosenColumns> ForAsync(ParquetFile file, ColumnMapping? wanted, CancellationToken cancellationToken)
    {
        if (wanted is null)
        {
            var guess = ColumnGuess.From(file.DescribeColumns(), await SampleRows.ReadAsync(file, RowsToGuessFrom, cancellationToken));
            if (guess.Problem is { } problem)
            {
                throw new RequestException("dataset.columns", 400,
                    $"the columns cannot be guessed: {problem}. Say which they are; there are: "
                    + string.Join(", ", file.Schema.Fields.Select(f => f.Name)));
            }
            return Check(file, guess.Columns, string.Join("; ", guess.Reasons.Select(reason => $"{reason.Key} = {reason.Value}")));
        }
        if (wanted.Definitions.Count == 0)
        {
            throw new RequestException("dataset.columns", 400,
                "map at least one field, such as title: there is nothing to learn about the images otherwise");
        }
        return Check(file, wanted, guess: null);
    }

    private static ChosenColumns Check(ParquetFile file, ColumnMapping mapping, string? guess) =>
        new(mapping, guess, ResolvedMapping.Find(file, mapping).Image.Bytes is not null);
}

/// <summary>The commits that a request's revision resolves to.</summary>
/// <param name="Parquet">Commit of the Hub's Parquet form of the dataset.</param>
internal sealed record PinnedCommits(string Dataset, string Parquet);

/// <summary>The Parquet files of one configuration of a dataset.</summary>
internal sealed record ListedDataset(IReadOnlyList<string> Configs, string Config, IReadOnlyList<ListedFile> Files);

/// <param name="Split">The dataset's own split.</param>
internal sealed record ListedFile(string Split, HubFileInfo Hub);

/// <summary>Resolves a dataset request on the Hub; reports refusals of the Hub as errors in the request.</summary>
internal sealed class DatasetLookup(HubClient hub)
{
    /// <exception cref="RequestException">The dataset or revision does not exist, or the dataset has no Parquet form.</exception>
    public async Task<PinnedCommits> PinAsync(DatasetRequest request, CancellationToken cancellationToken)
    {
        var commit = await CommitAsync(request, request.Revision, cancellationToken);
        if (request.Revision != "main" && commit != await CommitAsync(request, "main", cancellationToken))
        {
            throw new RequestException("dataset.revision", 400,
                $"the Hub keeps the Parquet form of the head of main only, and {request.Revision} is another commit");
        }
        return new PinnedCommits(commit, await CommitAsync(request, HubClient.ParquetRevision, cancellationToken));
    }

    /// <exception cref="RequestException">The dataset has no such configuration.</exception>
    public async Task<ListedDataset> ListAsync(DatasetRequest request, PinnedCommits commits, CancellationToken cancellationToken)
    {
        IReadOnlyList<HubParquetFile> all;
        try
        {
            all = await hub.ListParquetAsync(request.Repo, cancellationToken);
        }
        catch (HubException e) when (!e.IsTransient)
        {
            throw NoParquet(request);
        }
        if (all.Count == 0) throw NoParquet(request);
        string[] configs = [.. all.Select(file => file.Config).Distinct()];
        var config = request.Config ?? configs[0];
        var files = all.Where(file => file.Config == config).ToList();
        if (files.Count == 0)
        {
            throw new RequestException("dataset.config", 404,
                $"{request.Repo} has no configuration '{config}'; it has: {string.Join(", ", configs)}");
        }
        var tree = (await hub.ListFilesAsync(HubRepositoryKind.Dataset, request.Repo, commits.Parquet, cancellationToken))
            .ToDictionary(file => file.Path);
        return new ListedDataset(configs, config, [.. files.Select(file => new ListedFile(SplitOf(file), tree.GetValueOrDefault(file.Path)
            ?? throw new HubException(HubErrorKind.Unavailable, $"the Hub lists {file.Path} of {request.Repo}, "
                + $"which commit {commits.Parquet} does not have: the dataset is being changed")))]);
    }

    /// <summary>Reads ranges of a Parquet file on the Hub by range requests, without downloading the complete file.</summary>
    /// <exception cref="RequestException">The file is damaged.</exception>
    public async Task<T> ReadAsync<T>(DatasetRequest request, PinnedCommits commits, ListedFile file, Func<ParquetFile, Task<T>> read,
        CancellationToken cancellationToken)
    {
        await using var stream =
            await hub.OpenAsync(HubRepositoryKind.Dataset, request.Repo, commits.Parquet, file.Hub.Path, cancellationToken);
        try
        {
            await using var parquet = await ParquetFile.OpenAsync(stream, cancellationToken);
            return await read(parquet);
        }
        catch (InvalidDataException e)
        {
            throw new RequestException("dataset.repo", 400, $"{file.Hub.Path} of {request.Repo} cannot be read: {e.Message}");
        }
    }

    /// <summary>Reads the sizes of the files' row groups from their footers.</summary>
    /// <exception cref="RequestException">A file is damaged.</exception>
    public async Task<IReadOnlyList<MeasuredFile>> MeasureAsync(DatasetRequest request, PinnedCommits commits,
        IEnumerable<ListedFile> files, CancellationToken cancellationToken)
    {
        const int AtOnce = 8;
        var measured = new List<MeasuredFile>();
        foreach (var batch in files.Chunk(AtOnce))
        {
            measured.AddRange(await Task.WhenAll(batch.Select(listed =>
                ReadAsync(request, commits, listed, file => Task.FromResult(MeasuredFile.Of(listed, file)), cancellationToken))));
        }
        return measured;
    }

    private async Task<string> CommitAsync(DatasetRequest request, string revision, CancellationToken cancellationToken)
    {
        try
        {
            return await hub.GetCommitAsync(HubRepositoryKind.Dataset, request.Repo, revision, cancellationToken);
        }
        catch (HubException e) when (e.Error == HubErrorKind.RevisionNotFound && revision == HubClient.ParquetRevision)
        {
            throw NoParquet(request);
        }
        catch (HubException e) when (!e.IsTransient)
        {
            throw e.ToRequestException("dataset", request.Repo, revision);
        }
    }

    // The Hub converts at most 5 GB of a split, and lists a larger one as partial-….
    private static string SplitOf(HubParquetFile file)
    {
        const string Partial = "partial-";
        return file.Split.StartsWith(Partial, StringComparison.Ordinal) ? file.Split[Partial.Length..] : file.Split;
    }

    private static RequestException NoParquet(DatasetRequest request) =>
        new("dataset.repo", 400,
            $"the Hub has no Parquet form of {request.Repo} (yet): it converts public datasets some minutes after a change");
}
