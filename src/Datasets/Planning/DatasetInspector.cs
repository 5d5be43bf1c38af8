using FunctionsPipeline.Contracts;

namespace FunctionsPipeline.Datasets;

/// <summary>Says what a dataset has and how it would be read, without storing anything.</summary>
internal sealed class DatasetInspector(DatasetLookup lookup)
{
    private const int SampledRows = 5;

    // Rows are in the footer of each file.
    private const int MostFilesCounted = 100;

    /// <exception cref="RequestException">The repository, revision or configuration does not exist, or columns of the request do not fit.</exception>
    public async Task<DatasetInspection> InspectAsync(DatasetRequest request, CancellationToken cancellation)
    {
        var commits = await lookup.PinAsync(request, cancellation);
        var listed = await lookup.ListAsync(request, commits, cancellation);
        var rows = listed.Files.Count > MostFilesCounted ? null
            : (await lookup.MeasureAsync(request, commits, listed.Files, cancellation)).GroupBy(file => file.Split)
                .ToDictionary(split => split.Key, split => split.Sum(file => file.Rows));
        return await lookup.ReadAsync(request, commits, listed.Files[0], async file =>
        {
            var (mapping, guess) = await ColumnsAsync(file, request.Columns, cancellation);
            return new DatasetInspection
            {
                Repo = request.Repo,
                Commit = commits.Dataset,
                Configs = listed.Configs,
                Config = listed.Config,
                Splits = listed.Files.GroupBy(f => f.Split).ToDictionary(split => split.Key,
                    split => new SplitSize(split.Count(), split.Sum(f => f.Hub.Size), rows?[split.Key])),
                Columns = DatasetColumns.Describe(file),
                SampleRows = await SampleRows.ReadAsync(file, SampledRows, cancellation),
                Mapping = mapping,
                Guess = guess,
            };
        }, cancellation);
    }

    // Whoever inspects a dataset wants to see its columns, all the more when they cannot be guessed.
    private static async Task<(ColumnMapping? Mapping, string? Guess)> ColumnsAsync(
        ParquetFile file, ColumnMapping? wanted, CancellationToken cancellation)
    {
        try
        {
            var columns = await ChosenColumns.ForAsync(file, wanted, cancellation);
            return (columns.Mapping, columns.Guess);
        }
        catch (RequestException e) when (wanted is null)
        {
            return (null, e.Message);
        }
    }
}
