using FunctionsPipeline.Contracts;
using FunctionsPipeline.Datasets.Quality;
using FunctionsPipeline.Datasets.Rows;
using FunctionsPipeline.Datasets.Sources;

namespace FunctionsPipeline.Datasets.Planning;

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
