using System.Runtime.CompilerServices;
using FunctionsPipeline.Contracts;

namespace FunctionsPipeline.Datasets;

/// <summary>
/// Reads the mapped columns of a Parquet file, one row group at a time, each column by itself. In memory are the values of a row group
/// and the bytes of one of its columns, with the page that is being unpacked: for embedded images two to three times what they take in
/// the file where pages are small, and about six times where a writer such as DuckDB puts them all in one page.
/// </summary>
internal static class ParquetRows
{
    // Texts are made for so many rows at a time: those of a large row group would outlive a collection or two, and be copied in each.
    private const int BatchRows = 1000;

    /// <summary>
    /// The rows of a unit that are taken, in batches of which none is from two row groups. When a column of a row group is damaged, its
    /// rows come with a <see cref="DatasetRow.Fault"/>, and the next row groups go on.
    /// </summary>
    /// <exception cref="InvalidDataException">It is no Parquet file, its footer is damaged, or it lacks rows of the unit.</exception>
    /// <exception cref="RequestException">A column does not exist or has a type that does not fit.</exception>
    public static async IAsyncEnumerable<IReadOnlyList<DatasetRow>> ReadAsync(
        Stream file, ColumnMapping columns, IngestUnit unit, SplitRows split,
        [EnumeratorCancellation] CancellationToken cancellation)
    {
        await using var parquet = await ParquetFile.OpenAsync(file, cancellation);
        var fields = ColumnFields.Find(parquet, columns);
        var end = unit.Start + unit.Count;
        if (end > unit.FileStart + parquet.RowCount)
            throw new InvalidDataException($"it has {parquet.RowCount} rows, and {end - unit.FileStart} are to be read");
        var groupStart = unit.FileStart;
        for (var group = 0; group < parquet.RowGroups.Count && groupStart < end; group++)
        {
            var groupEnd = groupStart + parquet.RowGroups[group].NumRows;
            var (first, last) = (Math.Max(groupStart, unit.Start), Math.Min(groupEnd, end));
            if (first < last && split.TakenBefore(last) > split.TakenBefore(first))
            {
                var taken = new List<int>();
                for (var row = first; row < last; row++)
                    if (split.Takes(row)) taken.Add((int)(row - groupStart));
                var rowAt = await ReadGroupAsync(parquet, fields, group, groupStart, taken, cancellation);
                foreach (var some in taken.Chunk(BatchRows)) yield return Array.ConvertAll(some, rowAt);
            }
            groupStart = groupEnd;
        }
    }

    /// <returns>What is in each of the rows, by their places in the row group.</returns>
    private static async Task<Converter<int, DatasetRow>> ReadGroupAsync(
        ParquetFile file, ColumnFields fields, int group, long groupStart, List<int> taken, CancellationToken cancellation)
    {
        try
        {
            var images = await fields.Image.ReadAsync(file, group, taken, cancellation);
            var title = await ReadAsync(file, group, fields.Title, cancellation);
            var category = await ReadAsync(file, group, fields.Category, cancellation);
            var price = await ReadAsync(file, group, fields.Price, cancellation);
            var product = await ReadAsync(file, group, fields.Product, cancellation);
            return row =>
            {
                var (bytes, url) = images(row);
                var number = price?.Number(row);
                return new DatasetRow(groupStart + row, url, bytes, Said(title?.Text(row)),
                    category is null ? null : Said(fields.CategoryOf(category, row)), number, Said(product?.Text(row)))
                {
                    PriceText = number is null || double.IsFinite(number.Value) ? null : price!.Text(row),
                };
            };
        }
        catch (DamagedColumnException e)
        {
            return row => new DatasetRow(groupStart + row, null, null, null, null, null, null) { Fault = e.Message };
        }
    }

    private static async Task<IColumn?> ReadAsync(ParquetFile file, int group, MappedColumn? column, CancellationToken cancellation) =>
        column is null ? null : await column.ReadAsync(file, group, cancellation);

    private static string? Said(string? text) => string.IsNullOrWhiteSpace(text) ? null : text.Trim();
}
