using System.Buffers.Binary;
using Parquet;
using Parquet.Meta;
using Parquet.Schema;

namespace FunctionsPipeline.Datasets;

/// <summary>
/// A Parquet file whose footer has been read. Each column chunk (a column of a row group) is fetched completely in one read; at most one
/// chunk is in memory, besides the decoded values.
/// </summary>
internal sealed class ParquetFile : IAsyncDisposable
{
    private const int TailSize = 8;

    // Most footers are smaller than this, so that one fetch suffices.
    private const int FooterGuess = 64 << 10;

    private readonly FileWindow _window;
    private readonly ParquetReader _reader;
    private readonly Dictionary<SchemaElement, StoredType> _storedTypes = [];

    private ParquetFile(FileWindow window, ParquetReader reader)
    {
        _window = window;
        _reader = reader;
        RowGroups = reader.Metadata!.RowGroups;
        foreach (var element in reader.Metadata.Schema)
            if (StoredType.Take(element) is { } type) _storedTypes[element] = type;
        Schema = reader.Schema;
        Features = DatasetFeatures.Parse(reader.CustomMetadata.GetValueOrDefault("huggingface"));
    }

    public ParquetSchema Schema { get; }

    public IReadOnlyList<RowGroup> RowGroups { get; }

    /// <summary>Total number of rows of all row groups.</summary>
    public long RowCount => RowGroups.Sum(group => group.NumRows);

    /// <summary>Features of the columns, from the file's metadata.</summary>
    public DatasetFeatures Features { get; }

    /// <param name="file">A seekable stream, which stays open.</param>
    /// <exception cref="InvalidDataException">The stream is not a Parquet file, or its footer is damaged.</exception>
    public static async Task<ParquetFile> OpenAsync(Stream file, CancellationToken cancellationToken)
    {
        var window = new FileWindow(file);
        await LoadFooterAsync(window, cancellationToken);
        return await OpenAsync(window, cancellationToken);
    }

    /// <summary>
    /// Returns the logical type of a column that is read as its physical type; null when Parquet.Net converts the column itself.
    /// </summary>
    public StoredType? StoredTypeOf(DataField field) => field.SchemaElement is { } element ? _storedTypes.GetValueOrDefault(element) : null;

    /// <summary>Compressed size of a column chunk in bytes.</summary>
    public long SizeOf(int group, DataField field) => Chunk(group, field).TotalCompressedSize;

    /// <summary>Reads a column of a row group.</summary>
    /// <exception cref="DamagedColumnException">The column is damaged or in an unsupported encoding; a retry would fail as
    /// well.</exception>
    public async Task<ColumnValues<T>> ReadAsync<T>(int group, DataField field, CancellationToken cancellationToken)
        where T : struct
    {
        var chunk = Chunk(group, field);
        var start = Start(chunk);
        await _window.LoadAsync(start, (int)chunk.TotalCompressedSize, cancellationToken);
        ColumnChunkCheck? pages = null;
        try
        {
            pages = ColumnChunkCheck.Run(_window.Loaded, chunk);
            var count = (int)chunk.NumValues;
            var values = new T[count];
            int[]? defined = field.MaxDefinitionLevel > 0 ? new int[count] : null, repeated = field.MaxRepetitionLevel > 0 ? new int[count] : null;
            await _reader.OpenRowGroupReader(group).ReadRawAsync<T>(
                field, values, defined?.AsMemory(), repeated?.AsMemory(), cancellationToken);
            return ColumnValues<T>.Of(values, defined, field.MaxDefinitionLevel, repeated, (int)RowGroups[group].NumRows);
        }
        catch (InvalidDataException e) when (pages is null)
        {
            throw Damage(group, field, e.Message, e);
        }
        // The chunk is in memory and its sizes are checked, so that any failure of the reader but lack of memory is due to its bytes.
        catch (Exception e) when (e is not (OperationCanceledException or OutOfMemoryException))
        {
            throw Damage(group, field, $"{pages?.PageBefore(_window.Position - start)} cannot be decoded: {e.Message}", e);
        }
    }

    public ValueTask DisposeAsync() => _reader.DisposeAsync();

    private static async Task LoadFooterAsync(FileWindow window, CancellationToken cancellationToken)
    {
        if (window.Length < TailSize + 4) throw new InvalidDataException($"it is no Parquet file: it has {window.Length} bytes");
        var guess = (int)Math.Min(window.Length, FooterGuess);
        await window.LoadAsync(window.Length - guess, guess, cancellationToken);
        var size = CheckTail(window.Loaded[^TailSize..], window.Length) + TailSize;
        if (size > guess) await window.LoadAsync(window.Length - size, size, cancellationToken);
        CheckStructure(window.Loaded[^size..^TailSize]);
    }

    private static int CheckTail(ReadOnlySpan<byte> tail, long length)
    {
        if (tail[4..].SequenceEqual("PARE"u8)) throw new InvalidDataException("its footer is encrypted, and there is no key");
        if (!tail[4..].SequenceEqual("PAR1"u8))
            throw new InvalidDataException($"it is no Parquet file, or only the beginning of one: it ends in {Convert.ToHexStringLower(tail[4..])}");
        var size = BinaryPrimitives.ReadUInt32LittleEndian(tail);
        return size <= Math.Min(length - TailSize - 4, int.MaxValue - TailSize) ? (int)size
            : throw new InvalidDataException($"its footer is damaged: it cannot take {size} of the file's {length} bytes");
    }

    // Parquet.Net allocates as many list elements as a damaged footer claims; ThriftReader checks the counts first.
    private static void CheckStructure(ReadOnlySpan<byte> footer)
    {
        try
        {
            var reader = new ThriftReader(footer);
            reader.Skip(ThriftType.Struct);
        }
        catch (InvalidDataException e)
        {
            throw new InvalidDataException($"its footer is damaged: {e.Message}", e);
        }
    }

    private static async Task<ParquetFile> OpenAsync(FileWindow window, CancellationToken cancellationToken)
    {
        ParquetFile parquet;
        try
        {
            parquet = new ParquetFile(window, await ParquetReader.CreateAsync(window, leaveStreamOpen: true, cancellationToken: cancellationToken));
        }
        // The footer is in memory, so that any failure of the reader is due to its bytes.
        catch (Exception e) when (e is not (OperationCanceledException or OutOfMemoryException))
        {
            throw new InvalidDataException($"its footer cannot be read: {e.Message}", e);
        }
        var rows = parquet._reader.Metadata!.NumRows;
        if (parquet.RowGroups.Any(group => group.NumRows is < 0 or > int.MaxValue) || parquet.RowCount != rows)
            throw new InvalidDataException($"its footer is damaged: it has {rows} rows, and its row groups have {parquet.RowCount}");
        return parquet;
    }

    private static long Start(ColumnMetaData chunk)
    {
        // As in Parquet.Net, the chunk starts at the lowest page offset: that of the dictionary or the index page, where there is one.
        var start = chunk.DataPageOffset;
        if (chunk.DictionaryPageOffset is > 0 and var dictionary) start = Math.Min(start, dictionary);
        return chunk.IndexPageOffset is > 0 and var index ? Math.Min(start, index) : start;
    }

    private static DamagedColumnException Damage(int group, DataField field, string what, Exception? cause = null) =>
        new($"row group {group}, column {field.Path}: {what}", cause);

    /// <summary>Returns the metadata of a column chunk after checking its offsets, sizes and counts.</summary>
    private ColumnMetaData Chunk(int group, DataField field)
    {
        var chunk = _reader.OpenRowGroupReader(group).GetMetadata(field)?.MetaData
            ?? throw Damage(group, field, "the footer does not say where it is");
        var start = Start(chunk);
        if (start < 0 || chunk.TotalCompressedSize < 0 || chunk.TotalCompressedSize > _window.Length - start)
            throw Damage(group, field, $"{chunk.TotalCompressedSize} bytes at {start} are not within the file's {_window.Length}");
        if (chunk.TotalCompressedSize > Array.MaxLength)
            throw Damage(group, field, $"its {chunk.TotalCompressedSize} bytes are more than can be read at once; smaller row groups can");
        var rows = RowGroups[group].NumRows;
        if (chunk.NumValues is < 0 or > int.MaxValue || (field.MaxRepetitionLevel == 0 && chunk.NumValues != rows))
            throw Damage(group, field, $"it has {chunk.NumValues} values for {rows} rows");
        return chunk;
    }
}
