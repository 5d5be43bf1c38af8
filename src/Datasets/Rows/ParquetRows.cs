using System.Globalization;
using System.Numerics;
using System.Runtime.CompilerServices;
using FunctionsPipeline.Contracts;
using Parquet;
using Parquet.Schema;

namespace FunctionsPipeline.Datasets;

/// <summary>Reads the mapped columns of a Parquet file, one row group at a time.</summary>
internal static class ParquetRows
{
    /// <summary>The rows of a unit that are taken, a batch for each row group.</summary>
    public static async IAsyncEnumerable<IReadOnlyList<DatasetRow>> ReadAsync(
        Stream file, ColumnMapping columns, IngestUnit unit, SplitRows split,
        [EnumeratorCancellation] CancellationToken cancellation)
    {
        await using var reader = await ParquetReader.CreateAsync(file, leaveStreamOpen: true, cancellationToken: cancellation);
        var fields = ColumnFields.Find(reader, columns);
        var groupStart = unit.FileStart;
        for (var group = 0; group < reader.RowGroupCount && groupStart < unit.Start + unit.Count; group++)
        {
            using var rowGroup = reader.OpenRowGroupReader(group);
            var (first, last) = (Math.Max(groupStart, unit.Start), Math.Min(groupStart + rowGroup.RowCount, unit.Start + unit.Count));
            if (first < last && split.TakenBefore(last) > split.TakenBefore(first))
                yield return await ReadGroupAsync(rowGroup, fields, groupStart, first, last, split, cancellation);
            groupStart += rowGroup.RowCount;
        }
    }

    private static async Task<IReadOnlyList<DatasetRow>> ReadGroupAsync(
        ParquetRowGroupReader group, ColumnFields fields, long groupStart, long first, long last, SplitRows split,
        CancellationToken cancellation)
    {
        var urls = fields.ImageIsEmbedded ? null : await ReadTextAsync(group, fields.Image, cancellation);
        var images = fields.ImageIsEmbedded ? await ReadAsync<ReadOnlyMemory<byte>>(group, fields.Image, cancellation) : null;
        var titles = fields.Title is null ? null : await ReadTextAsync(group, fields.Title, cancellation);
        var categories = fields.Category is null ? null : await ReadCategoriesAsync(group, fields, cancellation);
        var prices = fields.Price is null ? null : await ReadNumbersAsync(group, fields.Price, cancellation);
        var products = fields.Product is null ? null : await ReadProductsAsync(group, fields.Product, cancellation);
        var rows = new List<DatasetRow>();
        for (var row = first; row < last; row++)
        {
            if (!split.Takes(row)) continue;
            var i = (int)(row - groupStart);
            rows.Add(new DatasetRow(row, urls?[i], images?[i], Said(titles?[i]), Said(categories?[i]), prices?[i], Said(products?[i])));
        }
        return rows;
    }

    private static string? Said(string? text) => string.IsNullOrWhiteSpace(text) ? null : text.Trim();

    private static async Task<string?[]> ReadTextAsync(ParquetRowGroupReader group, DataField field, CancellationToken cancellation)
    {
        var values = new string?[group.RowCount];
        await group.ReadAsync(field, values.AsMemory(), cancellationToken: cancellation);
        return values;
    }

    private static async Task<string?[]> ReadCategoriesAsync(ParquetRowGroupReader group, ColumnFields fields,
        CancellationToken cancellation)
    {
        if (fields.CategoryNames is not { } names) return await ReadTextAsync(group, fields.Category!, cancellation);
        // A code outside the names, such as -1, is the Hub's way of saying that there is no label.
        var codes = await ReadAsync<long>(group, fields.Category!, cancellation);
        return [.. codes.Select(code => code is >= 0 && code < names.Count ? names[(int)code] : null)];
    }

    private static async Task<string?[]> ReadProductsAsync(ParquetRowGroupReader group, DataField field, CancellationToken cancellation)
    {
        if (ColumnFields.IsText(field)) return await ReadTextAsync(group, field, cancellation);
        return field.ClrType switch
        {
            var type when type == typeof(int) => Numbers(await ReadAsync<int>(group, field, cancellation)),
            var type when type == typeof(short) => Numbers(await ReadAsync<short>(group, field, cancellation)),
            _ => Numbers(await ReadAsync<long>(group, field, cancellation)),
        };

        static string?[] Numbers<T>(T?[] values)
            where T : struct, INumber<T>
            => [.. values.Select(value => value?.ToString(null, CultureInfo.InvariantCulture))];
    }

    private static Task<double?[]> ReadNumbersAsync(ParquetRowGroupReader group, DataField field, CancellationToken cancellation) =>
        field.ClrType switch
    {
        var type when type == typeof(float) => ReadNumbersAsync<float>(group, field, cancellation),
        var type when type == typeof(long) => ReadNumbersAsync<long>(group, field, cancellation),
        var type when type == typeof(int) => ReadNumbersAsync<int>(group, field, cancellation),
        var type when type == typeof(short) => ReadNumbersAsync<short>(group, field, cancellation),
        var type when type == typeof(decimal) => ReadNumbersAsync<decimal>(group, field, cancellation),
        _ => ReadAsync<double>(group, field, cancellation),
    };

    private static async Task<double?[]> ReadNumbersAsync<T>(ParquetRowGroupReader group, DataField field, CancellationToken cancellation)
        where T : struct, INumber<T>
        => [.. (await ReadAsync<T>(group, field, cancellation))
            .Select(value => value is { } number ? (double?)double.CreateChecked(number) : null)];

    private static async Task<T?[]> ReadAsync<T>(ParquetRowGroupReader group, DataField field, CancellationToken cancellation)
        where T : struct
    {
        // A field may be required and its struct optional, so the levels decide and not the field.
        if (field.MaxDefinitionLevel > 0)
        {
            var optional = new T?[group.RowCount];
            await group.ReadAsync<T>(field, optional.AsMemory(), cancellationToken: cancellation);
            return optional;
        }
        var values = new T[group.RowCount];
        await group.ReadAsync<T>(field, values.AsMemory(), cancellationToken: cancellation);
        return [.. values.Select(value => (T?)value)];
    }
}
