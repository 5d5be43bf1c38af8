using FunctionsPipeline.Contracts;

namespace FunctionsPipeline.Datasets;

/// <summary>The columns that will be read.</summary>
/// <param name="Guess">Why these, when the request named none.</param>
/// <param name="ImageIsEmbedded">Whether the images are in the files, rather than at addresses.</param>
internal sealed record ChosenColumns(ColumnMapping Mapping, string? Guess, bool ImageIsEmbedded)
{
    private const int RowsToGuessFrom = 5;

    /// <summary>The request's columns, checked against a file of the dataset, or a guess from it.</summary>
    /// <exception cref="RequestException">A column does not exist or does not fit, or the guess finds nothing to learn.</exception>
    public static async Task<ChosenColumns> ForAsync(ParquetFile file, ColumnMapping? wanted, CancellationToken cancellation)
    {
        if (wanted is null)
        {
            var guess = ColumnGuess.From(DatasetColumns.Describe(file), await SampleRows.ReadAsync(file, RowsToGuessFrom, cancellation));
            if (guess.Problem is { } problem)
                throw new RequestException("dataset.columns", 400,
                    $"the columns cannot be guessed: {problem}. Say which they are; there are: {string.Join(", ", file.Schema.Fields.Select(f => f.Name))}");
            return Check(file, guess.Columns, string.Join("; ", guess.Reasons.Select(reason => $"{reason.Key} = {reason.Value}")));
        }
        if (wanted is { Title: null, Category: null, Price: null })
            throw new RequestException("dataset.columns", 400,
                "map at least one of title, category and price: there is nothing to learn about the images otherwise");
        return Check(file, wanted, guess: null);
    }

    private static ChosenColumns Check(ParquetFile file, ColumnMapping mapping, string? guess) =>
        new(mapping, guess, ColumnFields.Find(file, mapping).Image.Bytes is not null);
}
