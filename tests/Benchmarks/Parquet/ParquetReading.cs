using FunctionsPipeline.Contracts;
using FunctionsPipeline.Datasets;
using Parquet;
using Parquet.Schema;

namespace FunctionsPipeline.Benchmarks;

/// <summary>How much was read of a Parquet file.</summary>
/// <param name="Length">Characters of texts and bytes of images.</param>
internal sealed record ReadRows(long Rows, long Length);

/// <summary>Ways to read all rows of a Parquet file from a local disk.</summary>
/// <param name="columns">The columns that are read.</param>
internal sealed class ParquetReading(string path, ColumnMapping columns)
{
    private readonly HashSet<string?> _columns = [columns.Image, columns.Title, columns.Category, columns.Price, columns.Product];

    /// <summary>Bytes that the columns take in the file.</summary>
    public async Task<long> SizeAsync()
    {
        await using var file = File.OpenRead(path);
        await using var parquet = await ParquetFile.OpenAsync(file, CancellationToken.None);
        return parquet.Schema.GetDataFields().Where(IsRead)
            .Sum(field => Enumerable.Range(0, parquet.RowGroups.Count).Sum(group => parquet.SizeOf(group, field)));
    }

    /// <summary>As a unit of ingestion is read: a row at a time, checked, with strings of its own.</summary>
    public async Task<ReadRows> AsUnitAsync()
    {
        await using var file = File.OpenRead(path);
        long all;
        await using (var parquet = await ParquetFile.OpenAsync(file, CancellationToken.None)) all = parquet.RowCount;
        var unit = new IngestUnit(0, "train", path, 0, 0, all);
        var (rows, length) = (0L, 0L);
        await foreach (var batch in ParquetRows.ReadAsync(file, columns, unit, new SplitRows(all, all), CancellationToken.None))
            foreach (var row in batch)
            {
                if (row.Fault is not null) throw new InvalidOperationException(row.Fault);
                rows++;
                length += (row.ImageUrl?.Length ?? row.ImageBytes!.Value.Length) + row.Title!.Length + row.Category!.Length;
            }
        return new ReadRows(rows, length);
    }

    /// <summary>Parquet.Net alone: a column of a row group at a time, into arrays, and nothing is done with them.</summary>
    public async Task ByParquetNetAsync()
    {
        await using var file = File.OpenRead(path);
        await using var parquet = await ParquetReader.CreateAsync(file, leaveStreamOpen: true);
        for (var number = 0; number < parquet.RowGroupCount; number++)
        {
            using var group = parquet.OpenRowGroupReader(number);
            foreach (var field in parquet.Schema.GetDataFields().Where(IsRead))
                await (field.ClrType switch
                {
                    var type when type == typeof(ReadOnlyMemory<byte>) => ReadAsync<ReadOnlyMemory<byte>>(group, field),
                    var type when type == typeof(ReadOnlyMemory<char>) => ReadAsync<ReadOnlyMemory<char>>(group, field),
                    var type when type == typeof(long) => ReadAsync<long>(group, field),
                    _ => ReadAsync<double>(group, field),
                });
        }
    }

    // Names of embedded files are not read either where every row has the file.
    private bool IsRead(DataField field) => _columns.Contains(field.Path.FirstPart) && field.Name != "path";

    private static ValueTask ReadAsync<T>(ParquetRowGroupReader group, DataField field)
        where T : struct
        => group.ReadRawAsync<T>(field, new T[group.RowCount], field.MaxDefinitionLevel > 0 ? new int[group.RowCount] : null, null);
}
