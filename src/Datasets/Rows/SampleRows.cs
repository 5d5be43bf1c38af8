using System.Globalization;
using Parquet.Schema;

namespace FunctionsPipeline.Datasets;

/// <summary>Reads the first rows of a Parquet file as text, for display.</summary>
internal static class SampleRows
{
    // Maximum bytes fetched per column chunk; larger ones mostly hold images, for which the type is shown instead.
    private const long LargestColumn = 8 << 20;
    private const int LongestText = 200;

    /// <summary>
    /// Returns one dictionary by column name per row. Long texts are shortened, embedded images are replaced by their size, and columns
    /// that cannot be shown by the reason.
    /// </summary>
    public static async Task<IReadOnlyList<IReadOnlyDictionary<string, string?>>> ReadAsync(
        ParquetFile file, int rows, CancellationToken cancellationToken)
    {
        var sample = new List<Dictionary<string, string?>>();
        for (var group = 0; group < file.RowGroups.Count && sample.Count < rows; group++)
        {
            var count = (int)Math.Min(file.RowGroups[group].NumRows, rows - sample.Count);
            var columns = new List<(string Name, Func<int, string?> Text)>();
            foreach (var field in file.Schema.Fields) columns.Add((field.Name, await ReadAsync(file, group, field, count, cancellationToken)));
            for (var row = 0; row < count; row++) sample.Add(columns.ToDictionary(column => column.Name, column => column.Text(row)));
        }
        return sample;
    }

    private static async Task<Func<int, string?>> ReadAsync(ParquetFile file, int group, Field field, int rows, CancellationToken cancellationToken)
    {
        try
        {
            if (ColumnFields.ElementOf(field) is DataField data && ColumnType.Find(file, data) is { } type)
            {
                if (TooLarge(file, group, field, data) is { } large) return _ => large;
                var column = await type.ReadAsync(file, group, data, cancellationToken);
                return row => Shortened(column.Text(row));
            }
            if (ImageColumn.Find(file, field) is { } image)
            {
                if (TooLarge(file, group, field, image.Bytes!) is { } large) return _ => large;
                var images = await image.ReadAsync(file, group, [.. Enumerable.Range(0, rows)], cancellationToken);
                return row => images(row) is ({ } bytes, _)
                    ? string.Create(CultureInfo.InvariantCulture, $"embedded, {bytes.Length:N0} bytes")
                    : Shortened(images(row).Url);
            }
            return _ => $"({ColumnTypeName.Of(file, field)})";
        }
        catch (DamagedColumnException e)
        {
            return _ => $"(unreadable: {e.Message})";
        }
    }

    private static string? TooLarge(ParquetFile file, int group, Field field, DataField data) =>
        file.SizeOf(group, data) is > LargestColumn and var size
            ? string.Create(CultureInfo.InvariantCulture, $"({ColumnTypeName.Of(file, field)}, {size / 1e6:N0} MB in a row group)")
            : null;

    private static string? Shortened(string? text)
    {
        if (text is null || text.Length <= LongestText) return text;
        // Does not cut a surrogate pair in half.
        var length = char.IsHighSurrogate(text[LongestText - 1]) ? LongestText - 1 : LongestText;
        return text[..length] + "…";
    }
}
