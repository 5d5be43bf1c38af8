using Parquet.Columns;
using Parquet.Meta;
using Parquet.Schema;

namespace Parquet;

/// <summary>Writes one row group: every column of the schema once, in its order, all with the same number of rows.</summary>
public class ParquetRowGroupWriter : IDisposable
{
    private readonly DataField[] fields;
    private readonly PositionedStream output;
    private readonly ParquetOptions options;
    private readonly List<ColumnChunk> chunks = [];

    internal ParquetRowGroupWriter(ParquetSchema schema, PositionedStream output, ParquetOptions options)
    {
        fields = schema.GetDataFields();
        this.output = output;
        this.options = options;
    }

    internal long? RowCount { get; private set; }

    public async Task WriteAsync(
        DataField field, IReadOnlyCollection<string?> values, ReadOnlyMemory<int>? repetitionLevels = null) =>
        await WriteAsync<ReadOnlyMemory<char>>(
            field, values.Select(value => value?.AsMemory()).ToArray(), repetitionLevels).ConfigureAwait(false);

    public async Task WriteAsync(
        DataField field, IReadOnlyCollection<byte[]?> values, ReadOnlyMemory<int>? repetitionLevels = null) =>
        await WriteAsync<ReadOnlyMemory<byte>>(
            field,
            values.Select(value => value is null ? (ReadOnlyMemory<byte>?)null : value).ToArray(),
            repetitionLevels).ConfigureAwait(false);

    /// <summary>Values with nulls; in a struct, a null is the field's, not the struct's.</summary>
    public async Task WriteAsync<T>(
        DataField field, ReadOnlyMemory<T?> values, ReadOnlyMemory<int>? repetitionLevels = null,
        Dictionary<string, string>? customMetadata = null, CancellationToken cancellationToken = default)
        where T : struct
    {
        var defined = new List<T>(values.Length);
        var levels = new int[values.Length];
        for (var i = 0; i < levels.Length; i++)
        {
            if (values.Span[i] is { } value) defined.Add(value);
            levels[i] = field.MaxDefinitionLevel - (values.Span[i] is null ? 1 : 0);
        }
        await WriteColumnAsync<T>(field, defined.ToArray(), levels, customMetadata, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Values without nulls.</summary>
    public async Task WriteAsync<T>(
        DataField field, ReadOnlyMemory<T> values, ReadOnlyMemory<int>? repetitionLevels = null,
        Dictionary<string, string>? customMetadata = null, CancellationToken cancellationToken = default)
        where T : struct
    {
        var levels = new int[values.Length];
        Array.Fill(levels, field.MaxDefinitionLevel);
        await WriteColumnAsync(field, values, levels, customMetadata, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Throws if a column is still missing.</summary>
    public void CompleteValidate()
    {
        if (chunks.Count < fields.Length)
            throw new InvalidOperationException(
                $"Not all columns were written. Missing columns: {string.Join(", ", fields.Skip(chunks.Count).Select(field => field.Path))}");
    }

    public void Dispose() => GC.SuppressFinalize(this);

    internal RowGroup Metadata() => new()
    {
        Columns = chunks,
        NumRows = RowCount ?? 0,
        TotalByteSize = chunks.Sum(chunk => chunk.MetaData!.TotalUncompressedSize),
        TotalCompressedSize = chunks.Sum(chunk => chunk.MetaData!.TotalCompressedSize),
    };

    private async Task WriteColumnAsync<T>(
        DataField field, ReadOnlyMemory<T> defined, int[] levels, Dictionary<string, string>? customMetadata,
        CancellationToken cancellationToken)
        where T : struct
    {
        ArgumentNullException.ThrowIfNull(field);
        if (chunks.Count >= fields.Length)
            throw new InvalidOperationException($"Cannot write column '{field.Path}': all {fields.Length} columns have been written.");
        if (!fields[chunks.Count].Equals(field))
            throw new ArgumentException($"cannot write this column, expected '{fields[chunks.Count].Path}', passed: '{field.Path}'", nameof(field));
        if (field.ClrType != typeof(T))
            throw new ArgumentException($"expected values of type {field.ClrType} but passed {typeof(T)}");
        if (field.MaxDefinitionLevel == 0 && defined.Length < levels.Length)
            throw new ArgumentException($"column '{field.Path}' is required and cannot hold nulls");
        if (RowCount is { } rows && rows != levels.Length)
            throw new InvalidOperationException($"Column '{field.Path}' has {levels.Length} rows, but the row group expects {rows} rows.");
        RowCount = levels.Length;
        chunks.Add(await new ColumnWriter<T>(field, options.CompressionMethod, customMetadata)
            .WriteAsync(output, defined, levels, cancellationToken).ConfigureAwait(false));
    }
}
