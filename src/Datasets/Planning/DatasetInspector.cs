using FunctionsPipeline.Contracts;

namespace FunctionsPipeline.Datasets;

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
                Columns = DatasetColumns.Describe(file),
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
