using System.Security.Cryptography;
using System.Text.Json;
using Azure;
using Azure.Storage.Blobs;
using Azure.Storage.Blobs.Models;
using FunctionsPipeline.Contracts;
using FunctionsPipeline.Datasets.Hub;
using FunctionsPipeline.Datasets.Quality;
using FunctionsPipeline.Datasets.Rows;
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
        string?[] wanted =
        [
            mapping.Image, mapping.Title, mapping.Category, mapping.Price, mapping.Product,
            .. mapping.FurtherColumns.Values.Select(field => field.Column),
        ];
        foreach (var file in files)
        {
            if (wanted.OfType<string>().FirstOrDefault(column => !file.Columns.Contains(column)) is not { } missing) continue;
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

/// <summary>Inspects a dataset's structure and the column mapping that ingestion would use, without storing anything.</summary>
internal sealed class DatasetInspector(DatasetLookup lookup)
{
    private const int RowsShown = 5;

    // The columns of a row group are read in any case.
    private const int MostRowsChecked = 1000;

    // Counting rows takes one request per file, for its footer.
    private const int MostFilesCounted = 100;

    /// <exception cref="RequestException">The repository, revision or configuration does not exist, or columns of the request are missing
    /// or have unsuitable types.</exception>
    public async Task<DatasetInspection> InspectAsync(DatasetRequest request, CancellationToken cancellationToken)
    {
        if (request.View is not null)
            throw new RequestException("dataset.view", 400, "a view has been inspected when it was ingested; its report has the columns");
        var commits = await lookup.PinAsync(request, cancellationToken);
        var listed = await lookup.ListAsync(request, commits, cancellationToken);
        // The rows of other forms are counted when they are converted.
        var rows = listed.Files.Count > MostFilesCounted || listed.Files[0].Table is not null ? null
            : (await lookup.MeasureAsync(request, commits, listed.Files, cancellationToken)).GroupBy(file => file.Split)
                .ToDictionary(split => split.Key, split => split.Sum(file => file.Rows));
        return await lookup.ReadHeadAsync(request, commits, listed.Files[0], async (file, reading) =>
        {
            var (mapping, guess) = await ColumnsAsync(file, request.Columns, cancellationToken);
            var checkedRows = (int)Math.Clamp(file.RowGroups.Count == 0 ? 0 : file.RowGroups[0].NumRows, RowsShown, MostRowsChecked);
            var sample = await SampleRows.ReadAsync(file, checkedRows, cancellationToken);
            return new DatasetInspection
            {
                Repo = request.Repo,
                Commit = commits.Dataset,
                Configs = listed.Configs,
                Config = listed.Config,
                Splits = listed.Files.GroupBy(f => f.Split).ToDictionary(split => split.Key,
                    split => new SplitSize(split.Count(), split.Sum(f => f.Hub.Size), rows?[split.Key])),
                Columns = file.DescribeColumns(),
                SampleRows = [.. sample.Take(RowsShown)],
                Form = listed.Form is { Form: not TableForm.Parquet } form ? form.Describe(reading) : null,
                Warnings = QualityWarnings.OfFirstRows(sample, mapping) is { Count: > 0 } warnings ? warnings : null,
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

/// <summary>A dataset of a valid request.</summary>
/// <param name="Pinned">The request with the commit that its revision resolves to.</param>
/// <param name="Columns">The columns that ingestion reads.</param>
public sealed record CheckedDataset(DatasetRequest Pinned, ColumnMapping Columns);

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
                    + string.Join(", ", file.Columns.Select(f => f.Name)));
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
            return await blob.OpenReadAsync(new BlobOpenReadOptions(allowModifications: false), cancellationToken);
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
