using System.Runtime.InteropServices;
using Parquet.Columns;
using Parquet.Meta;
using Parquet.Schema;

namespace Parquet;

/// <summary>Reads the columns of one row group, in any order, each by one forward pass over its bytes.</summary>
public class ParquetRowGroupReader : IDisposable
{
    private readonly Stream stream;
    private readonly Dictionary<FieldPath, ColumnChunk> chunks = [];

    internal ParquetRowGroupReader(RowGroup group, Stream stream)
    {
        RowGroup = group;
        this.stream = stream;
        foreach (var chunk in group.Columns)
            if (chunk.MetaData is { } metadata) chunks[new FieldPath(metadata.PathInSchema)] = chunk;
    }

    public RowGroup RowGroup { get; }

    public long RowCount => RowGroup.NumRows;

    public bool ColumnExists(DataField field) => chunks.ContainsKey(field.Path);

    public ColumnChunk? GetMetadata(DataField field) => chunks.GetValueOrDefault(field.Path);

    /// <summary>A required column; <paramref name="values"/> has room for all its values.</summary>
    /// <exception cref="ArgumentException">The type is not the column's, the buffer is too small, or the column may hold nulls.</exception>
    /// <exception cref="ParquetException">The column is damaged.</exception>
    public async ValueTask ReadAsync<T>(
        DataField field, Memory<T> values, Memory<int>? repetitionLevels = null, CancellationToken cancellationToken = default)
        where T : struct => await ReadRawAsync(field, values, null, repetitionLevels, cancellationToken).ConfigureAwait(false);

    /// <summary>An optional column, also a nested one: null where the value or anything around it is null.</summary>
    /// <inheritdoc cref="ReadAsync{T}(DataField, Memory{T}, Memory{int}?, CancellationToken)"/>
    public async ValueTask ReadAsync<T>(
        DataField field, Memory<T?> values, Memory<int>? repetitionLevels = null, CancellationToken cancellationToken = default)
        where T : struct
    {
        var levels = new int[values.Length];
        var defined = new T[values.Length];
        await ReadRawAsync(field, defined.AsMemory(), levels.AsMemory(), repetitionLevels, cancellationToken).ConfigureAwait(false);
        var next = 0;
        for (var i = 0; i < RowCount; i++)
            values.Span[i] = levels[i] == field.MaxDefinitionLevel ? defined[next++] : null;
    }

    /// <summary>
    /// A text column. Where a field of a struct is null and the struct is not, the real package yields a neighbour's
    /// value here; this one refuses. Read such a column as <c>ReadOnlyMemory&lt;char&gt;?</c>.
    /// </summary>
    /// <inheritdoc cref="ReadAsync{T}(DataField, Memory{T}, Memory{int}?, CancellationToken)"/>
    public async ValueTask ReadAsync(
        DataField field, Memory<string?> values, Memory<int>? repetitionLevels = null, CancellationToken cancellationToken = default)
    {
        var texts = new ReadOnlyMemory<char>?[values.Length];
        await ReadReferenceAsync(field, texts, repetitionLevels, cancellationToken).ConfigureAwait(false);
        for (var i = 0; i < RowCount; i++)
        {
            values.Span[i] = texts[i] is not { } text ? null
                : MemoryMarshal.TryGetString(text, out var whole, out _, out var length) && length == whole.Length ? whole
                : text.ToString();
        }
    }

    /// <summary>
    /// A binary column. Where a field of a struct is null and the struct is not, the real package yields a neighbour's
    /// value here; this one refuses. Read such a column as <c>ReadOnlyMemory&lt;byte&gt;?</c>.
    /// </summary>
    /// <inheritdoc cref="ReadAsync{T}(DataField, Memory{T}, Memory{int}?, CancellationToken)"/>
    public async ValueTask ReadAsync(
        DataField field, Memory<byte[]?> values, Memory<int>? repetitionLevels = null, CancellationToken cancellationToken = default)
    {
        var blocks = new ReadOnlyMemory<byte>?[values.Length];
        await ReadReferenceAsync(field, blocks, repetitionLevels, cancellationToken).ConfigureAwait(false);
        for (var i = 0; i < RowCount; i++) values.Span[i] = blocks[i]?.ToArray();
    }

    /// <summary>
    /// The values that are not null, one after another, and the levels that say where they belong. A level buffer is needed
    /// where the field's maximum level is over 0.
    /// </summary>
    /// <inheritdoc cref="ReadAsync{T}(DataField, Memory{T}, Memory{int}?, CancellationToken)"/>
    public async ValueTask ReadRawAsync<T>(
        DataField field, Memory<T> values, Memory<int>? definitionLevels, Memory<int>? repetitionLevels,
        CancellationToken cancellationToken = default)
        where T : struct
    {
        var chunk = GetMetadata(field)?.MetaData ?? throw new ParquetException($"'{field.Path}' does not exist in this file");
        var start = ColumnChunkStream.Start(chunk);
        if (start < 0 || chunk.TotalCompressedSize < 0 || chunk.TotalCompressedSize > stream.Length - start || chunk.NumValues is < 0 or > int.MaxValue)
            throw new ParquetException(
                $"column '{field.Path}' is corrupt: {chunk.TotalCompressedSize} bytes with {chunk.NumValues} values at {start} in a file of {stream.Length} bytes");
        if (field.MaxRepetitionLevel == 0 && chunk.NumValues != RowCount)
            throw new ParquetException($"column '{field.Path}' is corrupt: it has {chunk.NumValues} values in {RowCount} rows");
        if (typeof(T) != field.ClrType)
            throw new ArgumentException($"Field \"{field.Path}\" ({field.ClrType}) is not compatible with type {typeof(T)}");
        Check(field, "Values", values.Length, chunk.NumValues);
        if (field.MaxDefinitionLevel > 0) Check(field, "Definition levels", definitionLevels?.Length, chunk.NumValues);
        if (field.MaxRepetitionLevel > 0) Check(field, "Repetition levels", repetitionLevels?.Length, chunk.NumValues);
        var target = new ColumnTarget<T>(
            values, field.MaxDefinitionLevel > 0 ? definitionLevels!.Value : default, field.MaxRepetitionLevel > 0 ? repetitionLevels!.Value : default);
        try
        {
            await new ColumnReader<T>(field, chunk, target).ReadAsync(stream, cancellationToken).ConfigureAwait(false);
        }
        catch (Exception exception) when (exception is InvalidDataException or IndexOutOfRangeException or ArgumentException or OverflowException)
        {
            throw new ParquetException($"column '{field.Path}' is corrupt: {exception.Message}", exception);
        }
    }

    public void Dispose() => GC.SuppressFinalize(this);

    private static void Check(DataField field, string what, int? length, long needed)
    {
        if (length is null) throw new ArgumentException($"{what} buffer is required for field '{field.Path}'");
        if (length < needed)
            throw new ArgumentException($"{what} buffer is too small for field '{field.Path}' (length {length} < numValues {needed})");
    }

    private async ValueTask ReadReferenceAsync<T>(
        DataField field, T?[] values, Memory<int>? repetitionLevels, CancellationToken cancellationToken)
        where T : struct
    {
        var levels = field.IsNullable ? new int[values.Length] : null;
        var defined = new T[values.Length];
        await ReadRawAsync(field, defined.AsMemory(), levels, repetitionLevels, cancellationToken).ConfigureAwait(false);
        var next = 0;
        for (var i = 0; i < RowCount; i++)
        {
            if (levels is null || levels[i] == field.MaxDefinitionLevel) values[i] = defined[next++];
            else if (levels[i] > 0)
                throw new NotSupportedException(
                    $"column '{field.Path}' is null within a group that is not, which this overload of the package misreads: "
                    + $"read it into Memory<{typeof(T).Name}?> instead");
        }
    }
}
