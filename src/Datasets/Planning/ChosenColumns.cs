using FunctionsPipeline.Contracts;
using FunctionsPipeline.Datasets.Rows;

namespace FunctionsPipeline.Datasets.Planning;

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
