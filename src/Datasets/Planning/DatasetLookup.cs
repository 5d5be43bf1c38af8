using Azure;
using Azure.Storage.Blobs;
using FunctionsPipeline.Contracts;
using FunctionsPipeline.Datasets.Hub;
using FunctionsPipeline.Datasets.Rows;
using FunctionsPipeline.Datasets.Sources;
using FunctionsPipeline.Datasets.Storage;

namespace FunctionsPipeline.Datasets.Planning;

/// <summary>Resolves a dataset request on the Hub or in storage; reports refusals as errors in the request.</summary>
/// <param name="files">Client of the container with the converted files.</param>
/// <param name="maxImageBytes">Maximum size of an image in bytes.</param>
internal sealed class DatasetLookup(HubClient hub, BlobServiceClient blobs, BlobContainerClient files, long maxImageBytes)
{
    private const string Main = "main";
    private const int HeadRows = 100;

    // Of a form whose rows have their images.
    private const int HeadImages = 5;

    /// <summary>Returns the own files of a dataset at a commit.</summary>
    /// <param name="asOf">Time of the last change of a file in blob storage; null before it is known.</param>
    public IDatasetFiles FilesOf(DatasetRequest request, string commit, DateTimeOffset? asOf) => request.Source is { } source
        ? new ContainerFiles(blobs, source, asOf, maxImageBytes)
        : new HubFiles(hub, request.Repo, commit, maxImageBytes);

    /// <exception cref="RequestException">The dataset, the container or the revision does not exist.</exception>
    public async Task<PinnedCommits> PinAsync(DatasetRequest request, CancellationToken cancellationToken)
    {
        if (request.Source is not null)
        {
            var own = FilesOf(request, "", asOf: null);
            // A pinned commit, as of a request that was checked; its plan may exist.
            var pinned = request.Revision == Main ? (await own.ListAsync(cancellationToken)).Commit : request.Revision;
            return new PinnedCommits(pinned, pinned) { Own = own };
        }
        var commit = await CommitAsync(request, request.Revision, cancellationToken);
        // The Hub converts the head of main only.
        if ((request.Revision == Main || commit == await CommitAsync(request, Main, cancellationToken))
            && await ConvertedCommitAsync(request, cancellationToken) is { } parquet)
            return new PinnedCommits(commit, parquet);
        return new PinnedCommits(commit, commit) { Own = FilesOf(request, commit, asOf: null) };
    }

    /// <exception cref="RequestException">The dataset has no such configuration, or no files that are read.</exception>
    public async Task<ListedDataset> ListAsync(DatasetRequest request, PinnedCommits commits, CancellationToken cancellationToken)
    {
        if (commits.Own is { } own) return await ListAsync(own, request, commits.Dataset, cancellationToken);
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

    /// <summary>
    /// Reads ranges of a Parquet file, without downloading the complete file: on the Hub by range requests, or of a converted file in
    /// storage.
    /// </summary>
    /// <exception cref="RequestException">The file is damaged.</exception>
    public async Task<T> ReadAsync<T>(DatasetRequest request, PinnedCommits commits, ListedFile file, Func<ParquetFile, Task<T>> read,
        CancellationToken cancellationToken)
    {
        await using var stream = file.Table is null
            ? await hub.OpenAsync(HubRepositoryKind.Dataset, request.Repo, commits.Parquet, file.Hub.Path, cancellationToken)
            : await OpenConvertedAsync(request, file, cancellationToken);
        return await ReadAsync(request, file, stream, read, cancellationToken);
    }

    /// <summary>Reads the first rows of a file; those of other forms are converted in memory, so that nothing is stored.</summary>
    /// <param name="read">Receives the Parquet file, and <see cref="TableRows.Description"/> of what it was made of.</param>
    /// <exception cref="RequestException">The file is damaged.</exception>
    public async Task<T> ReadHeadAsync<T>(DatasetRequest request, PinnedCommits commits, ListedFile file,
        Func<ParquetFile, string, Task<T>> read, CancellationToken cancellationToken)
    {
        if (file.Table is not { } table || commits.Own is not { } own)
            return await ReadAsync(request, commits, file, parquet => read(parquet, ""), cancellationToken);
        if (table.Form == TableForm.Parquet)
        {
            await using var parquet = await own.OpenAsync(table.File, cancellationToken);
            return await ReadAsync(request, file, parquet, opened => read(opened, ""), cancellationToken);
        }
        using var head = new MemoryStream();
        var rows = table.Form == TableForm.WebDataset ? HeadImages : HeadRows;
        var reading = await new ParquetConversion(own, request.Config, maxImageBytes).WriteAsync(table, head, rows, cancellationToken);
        return await ReadAsync(request, file, head, opened => read(opened, reading), cancellationToken);
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

    private static async Task<ListedDataset> ListAsync(
        IDatasetFiles own, DatasetRequest request, string commit, CancellationToken cancellationToken)
    {
        var listing = await own.ListAsync(cancellationToken);
        if (listing.Commit != commit)
        {
            throw new RequestException("dataset.revision", 409, $"the files of {own.Name} are of {listing.Commit} now, not of {commit}: "
                + "start again with the revision main, for the files as they are");
        }
        var form = DatasetForm.Of(own, listing.Files, request.Config);
        // Parquet of the Hub stays where a commit keeps it; that of a folder can change, and is copied.
        var isRead = form.Form == TableForm.Parquet && request.Source is null;
        return new ListedDataset([DatasetForm.AllFiles], request.Config ?? DatasetForm.AllFiles,
            [.. form.Tables.Select(table => isRead ? new ListedFile(table.Split, table.File)
                : new ListedFile(table.Split, table.Converted, table))],
            form, listing.AsOf);
    }

    private static async Task<T> ReadAsync<T>(
        DatasetRequest request, ListedFile file, Stream stream, Func<ParquetFile, Task<T>> read, CancellationToken cancellationToken)
    {
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

    private async Task<Stream> OpenConvertedAsync(DatasetRequest request, ListedFile file, CancellationToken cancellationToken)
    {
        var blob = files.GetBlobClient(new DatasetBlobs(request.Repo, "", "").File(file.Hub.Sha256!));
        try
        {
            return await blob.OpenRangesAsync(cancellationToken);
        }
        catch (RequestFailedException e) when (e.Status == 404)
        {
            throw new InvalidOperationException($"{file.Hub.Path} of {request.Repo} has not been converted: ingest the dataset again", e);
        }
    }

    private async Task<string?> ConvertedCommitAsync(DatasetRequest request, CancellationToken cancellationToken)
    {
        try
        {
            return await hub.GetCommitAsync(HubRepositoryKind.Dataset, request.Repo, HubClient.ParquetRevision, cancellationToken);
        }
        catch (HubException e) when (e.Error == HubErrorKind.RevisionNotFound)
        {
            return null;
        }
    }

    private async Task<string> CommitAsync(DatasetRequest request, string revision, CancellationToken cancellationToken)
    {
        try
        {
            return await hub.GetCommitAsync(HubRepositoryKind.Dataset, request.Repo, revision, cancellationToken);
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

/// <summary>The commits that a request's revision resolves to.</summary>
/// <param name="Parquet">Commit of the Parquet files: of the Hub's converted form, or the dataset's own.</param>
internal sealed record PinnedCommits(string Dataset, string Parquet)
{
    /// <summary>The dataset's own files, which are read then; null when the Hub has a converted form of the commit.</summary>
    public IDatasetFiles? Own { get; init; }
}

/// <summary>The Parquet files of one configuration of a dataset.</summary>
/// <param name="Form">Form of the dataset's own files; null when the Hub's converted form is read.</param>
/// <param name="AsOf">Time of the last change of a file; null where a commit pins the content.</param>
internal sealed record ListedDataset(IReadOnlyList<string> Configs, string Config, IReadOnlyList<ListedFile> Files,
    DatasetForm? Form = null, DateTimeOffset? AsOf = null);

/// <param name="Split">The dataset's own split.</param>
/// <param name="Hub">The Parquet file: of the Hub, or the one that a table is converted to.</param>
/// <param name="Table">The table that has to be converted; null for a file of the Hub.</param>
internal sealed record ListedFile(string Split, HubFileInfo Hub, SourceTable? Table = null);
