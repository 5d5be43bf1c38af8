using FunctionsPipeline.Contracts;

namespace FunctionsPipeline.Datasets;

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
            throw new RequestException("dataset.revision", 400,
                $"the Hub keeps the Parquet form of the head of main only, and {request.Revision} is another commit");
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
            throw new RequestException("dataset.config", 404,
                $"{request.Repo} has no configuration '{config}'; it has: {string.Join(", ", configs)}");
        var tree = (await hub.ListFilesAsync(HubRepositoryKind.Dataset, request.Repo, commits.Parquet, cancellationToken)).ToDictionary(file => file.Path);
        return new ListedDataset(configs, config, [.. files.Select(file => new ListedFile(SplitOf(file), tree.GetValueOrDefault(file.Path)
            ?? throw new HubException(HubError.Unavailable,
                $"the Hub lists {file.Path} of {request.Repo}, which commit {commits.Parquet} does not have: the dataset is being changed")))]);
    }

    /// <summary>Reads parts of a Parquet file on the Hub by range requests, without downloading the complete file.</summary>
    /// <exception cref="RequestException">The file is damaged.</exception>
    public async Task<T> ReadAsync<T>(DatasetRequest request, PinnedCommits commits, ListedFile file, Func<ParquetFile, Task<T>> read,
        CancellationToken cancellationToken)
    {
        await using var stream = await hub.OpenAsync(HubRepositoryKind.Dataset, request.Repo, commits.Parquet, file.Hub.Path, cancellationToken);
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
    public async Task<IReadOnlyList<MeasuredFile>> MeasureAsync(DatasetRequest request, PinnedCommits commits, IEnumerable<ListedFile> files,
        CancellationToken cancellationToken)
    {
        const int AtOnce = 8;
        var measured = new List<MeasuredFile>();
        foreach (var some in files.Chunk(AtOnce))
            measured.AddRange(await Task.WhenAll(some.Select(listed =>
                ReadAsync(request, commits, listed, file => Task.FromResult(MeasuredFile.Of(listed, file)), cancellationToken))));
        return measured;
    }

    private async Task<string> CommitAsync(DatasetRequest request, string revision, CancellationToken cancellationToken)
    {
        try
        {
            return await hub.GetCommitAsync(HubRepositoryKind.Dataset, request.Repo, revision, cancellationToken);
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
