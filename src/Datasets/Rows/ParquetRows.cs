using System.Runtime.CompilerServices;
using FunctionsPipeline.Contracts;

namespace FunctionsPipeline.Datasets;

/// <summary>
/// Reads the mapped columns of a Parquet file, one row group at a time, column by column. Memory holds the values of a row group, the bytes
/// of one of its columns and the page being decompressed: for embedded images two to three times their size in the file with small pages,
/// and about six times where a writer such as DuckDB puts all of them in one page.
/// </summary>
internal static class ParquetRows
{
    // Limits how many strings are alive at a time: the strings of a large row group would survive garbage collections and be copied by
    // each.
    private const int BatchRows = 1000;

    /// <summary>
    /// Reads the taken rows of a unit in batches that do not span row groups. When a column of a row group is damaged, the rows of that row
    /// group have a <see cref="DatasetRow.Fault"/>, and reading continues with the next row group.
    /// </summary>
    /// <exception cref="InvalidDataException">The stream is not a Parquet file, its footer is damaged, or rows of the unit are
    /// missing.</exception>
    /// <exception cref="RequestException">A column does not exist or has an unsuitable type.</exception>
    public static async IAsyncEnumerable<IReadOnlyList<DatasetRow>> ReadAsync(
        Stream file, ColumnMapping columns, IngestUnit unit, SplitRows split,
        [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        await using var parquet = await ParquetFile.OpenAsync(file, cancellationToken);
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
                var rowAt = await ReadGroupAsync(parquet, fields, group, groupStart, taken, cancellationToken);
                foreach (var some in taken.Chunk(BatchRows)) yield return Array.ConvertAll(some, rowAt);
            }
            groupStart = groupEnd;
        }
    }

    /// <returns>A function that returns a row by its index in the row group.</returns>
    private static async Task<Converter<int, DatasetRow>> ReadGroupAsync(
        ParquetFile file, ColumnFields fields, int group, long groupStart, List<int> taken, CancellationToken cancellationToken)
    {
        try
        {
            var images = await fields.Image.ReadAsync(file, group, taken, cancellationToken);
            var title = await ReadAsync(file, group, fields.Title, cancellationToken);
            var category = await ReadAsync(file, group, fields.Category, cancellationToken);
            var price = await ReadAsync(file, group, fields.Price, cancellationToken);
            var product = await ReadAsync(file, group, fields.Product, cancellationToken);
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

    private static async Task<IColumn?> ReadAsync(ParquetFile file, int group, MappedColumn? column, CancellationToken cancellationToken) =>
        column is null ? null : await column.ReadAsync(file, group, cancellationToken);

    private static string? Said(string? text) => string.IsNullOrWhiteSpace(text) ? null : text.Trim();
}
