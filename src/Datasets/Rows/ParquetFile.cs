using System.Buffers.Binary;
using FunctionsPipeline.Contracts;
using FunctionsPipeline.Datasets.Sources;
using Parquet;
using Parquet.Meta;
using Parquet.Schema;

namespace FunctionsPipeline.Datasets.Rows;

/// <summary>
/// A Parquet file whose footer has been read. Each column chunk (a column of a row group) is fetched completely in one read; at most one
/// chunk is in memory, besides the decoded values.
/// </summary>
internal sealed class ParquetFile : IAsyncDisposable
{
    /// <summary>Ends the message about an encoding that Parquet.Net does not read; <c>docs/parquet.md</c> lists them.</summary>
    public const string WayOut =
        "; if other programs read the file, rewrite it with one: duckdb -c \"COPY (FROM 'old.parquet') TO 'new.parquet'\"";

    // A Parquet file ends with the length of the footer (4 bytes, little-endian) and the magic number PAR1; it also begins with PAR1.
    private const int TailSize = 8;

    // Most footers are smaller than this, so that one fetch suffices.
    internal const int FooterGuess = 64 << 10;

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
        Columns = [.. Schema.Fields.Where(field => field.Name != TableWriter.FaultColumn)];
        Features = FeatureMetadata.Parse(reader.CustomMetadata.GetValueOrDefault("huggingface"));
    }

    public ParquetSchema Schema { get; }

    /// <summary>Columns of the dataset: those of the schema but the faults that conversion adds.</summary>
    public IReadOnlyList<Field> Columns { get; }

    public IReadOnlyList<RowGroup> RowGroups { get; }

    /// <summary>Total number of rows of all row groups.</summary>
    public long RowCount => RowGroups.Sum(group => group.NumRows);

    /// <summary>Number of the first row group, in a file that was cut; only messages have it.</summary>
    public int FirstGroup { get; init; }

    /// <summary>Features of the columns, from the file's metadata.</summary>
    public FeatureMetadata Features { get; }

    /// <param name="file">A seekable stream, which stays open.</param>
    /// <exception cref="InvalidDataException">The stream is not a Parquet file, or its footer is damaged.</exception>
    /// <param name="firstGroup">Number of the first row group, in a file that was cut by <see cref="ParquetFooter"/>.</param>
    public static async Task<ParquetFile> OpenAsync(Stream file, CancellationToken cancellationToken, int firstGroup = 0)
    {
        var window = new FileWindow(file);
        await LoadFooterAsync(window, cancellationToken);
        return await OpenAsync(window, firstGroup, cancellationToken);
    }

    /// <summary>Describes the columns, as a basis for their mapping.</summary>
    public IReadOnlyList<ColumnInfo> DescribeColumns() =>
        [.. Columns.Select(field => new ColumnInfo(field.Name, ArrowTypeName.Of(this, field), Features.Of(field.Name)?.ToString()))];

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
        PageCheck? pages = null;
        try
        {
            pages = PageCheck.Run(_window.Loaded, chunk);
            var count = (int)chunk.NumValues;
            var values = new T[count];
            var defined = field.MaxDefinitionLevel > 0 ? new int[count] : null;
            var repeated = field.MaxRepetitionLevel > 0 ? new int[count] : null;
            await _reader.OpenRowGroupReader(group).ReadRawAsync<T>(
                field, values, defined?.AsMemory(), repeated?.AsMemory(), cancellationToken);
            var column = ColumnValues<T>.Of(values, defined, field.MaxDefinitionLevel, repeated, (int)RowGroups[group].NumRows);
            column.AreOfDictionary = pages.HasDictionary;
            return column;
        }
        catch (InvalidDataException e) when (pages is null)
        {
            throw Damage(group, field, e.Message, e);
        }
        // The chunk is in memory and its sizes are checked, so that any failure of the reader but lack of memory is due to its bytes.
        catch (Exception e) when (e is not (OperationCanceledException or OutOfMemoryException))
        {
            throw Damage(group, field, $"{pages?.PageBefore(_window.Position - start)} cannot be decoded: {e.Message}{WayOut}", e);
        }
    }

    public ValueTask DisposeAsync() => _reader.DisposeAsync();

    /// <summary>Loads and checks the footer.</summary>
    /// <returns>Range of the loaded bytes that is the footer, without the file's last eight bytes.</returns>
    /// <exception cref="InvalidDataException">The stream is not a Parquet file, or its footer is damaged.</exception>
    internal static async Task<Range> LoadFooterAsync(FileWindow window, CancellationToken cancellationToken)
    {
        if (window.Length < TailSize + 4) throw new InvalidDataException($"it is no Parquet file: it has {window.Length} bytes");
        var guess = (int)Math.Min(window.Length, FooterGuess);
        await window.LoadAsync(window.Length - guess, guess, cancellationToken);
        var size = CheckTail(window.Loaded[^TailSize..], window.Length) + TailSize;
        if (size > guess) await window.LoadAsync(window.Length - size, size, cancellationToken);
        CheckStructure(window.Loaded[^size..^TailSize]);
        return (window.Loaded.Length - size)..(window.Loaded.Length - TailSize);
    }

    private static int CheckTail(ReadOnlySpan<byte> tail, long length)
    {
        if (tail[4..].SequenceEqual("PARE"u8)) throw new InvalidDataException("its footer is encrypted, and there is no key");
        if (!tail[4..].SequenceEqual("PAR1"u8))
        {
            throw new InvalidDataException(
                $"it is no Parquet file, or only the beginning of one: it ends in {Convert.ToHexStringLower(tail[4..])}");
        }
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

    private static async Task<ParquetFile> OpenAsync(FileWindow window, int firstGroup, CancellationToken cancellationToken)
    {
        ParquetFile parquet;
        try
        {
            parquet = new ParquetFile(window,
                await ParquetReader.CreateAsync(window, leaveStreamOpen: true, cancellationToken: cancellationToken))
            {
                FirstGroup = firstGroup,
            };
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

    private DamagedColumnException Damage(int group, DataField field, string what, Exception? cause = null) =>
        new($"row group {FirstGroup + group}, column {field.Path}: {what}", cause);

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

/// <summary>
/// Stream over a complete file with one range loaded in memory. Readers get loaded bytes only, so a read error is caused by the file's
/// content, never by the network.
/// </summary>
internal sealed class FileWindow(Stream file) : ReadOnlyStream
{
    // Parquet.Net checks the magic number at the start of the file; answering with the constant saves a round trip.
    private static readonly byte[] Magic = "PAR1"u8.ToArray();

    private byte[] _bytes = [];
    private long _start;
    private int _count;

    public override long Length { get; } = file.Length;

    /// <summary>The loaded range.</summary>
    public ReadOnlySpan<byte> Loaded => _bytes.AsSpan(0, _count);

    /// <summary>Loads a range of the file into memory and drops the previous one.</summary>
    /// <exception cref="EndOfStreamException">The file is shorter than its stated length.</exception>
    public async Task LoadAsync(long start, int count, CancellationToken cancellationToken)
    {
        _count = 0;
        // One buffer serves all ranges and grows to the longest: ArrayPool would round its size up to a power of two and keep it.
        if (_bytes.Length < count) _bytes = GC.AllocateUninitializedArray<byte>(count);
        file.Seek(start, SeekOrigin.Begin);
        await file.ReadExactlyAsync(_bytes.AsMemory(0, count), cancellationToken);
        (_start, _count) = (start, count);
    }

    public override int Read(Span<byte> buffer)
    {
        if (Position >= Length || buffer.IsEmpty) return 0;
        var available = Position >= _start && Position < _start + _count ? Loaded[(int)(Position - _start)..]
            : Position < Magic.Length ? Magic.AsSpan((int)Position)
            : throw new InvalidDataException("the pages end before their values do");
        var count = Math.Min(available.Length, buffer.Length);
        available[..count].CopyTo(buffer);
        Position += count;
        return count;
    }

    public override int Read(byte[] buffer, int offset, int count) => Read(buffer.AsSpan(offset, count));

    public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default) =>
        cancellationToken.IsCancellationRequested ? ValueTask.FromCanceled<int>(cancellationToken) : new(Read(buffer.Span));
}

/// <summary>Values of a column of a row group, one per row; of a list, the first value that is not null.</summary>
internal sealed class ColumnValues<T>
    where T : struct
{
    private readonly T[] _values;

    // Index of each row's value in _values, -1 for none; null when every row has one value.
    private readonly int[]? _places;

    // Number of values that are not null.
    private readonly int _count;

    private ColumnValues(T[] values, int[]? places, int count)
    {
        _values = values;
        _places = places;
        _count = count;
    }

    /// <summary>True when equal values are the same memory, as far as the column's pages have a dictionary.</summary>
    public bool AreOfDictionary { get; set; }

    /// <summary>Returns the value of a row of the row group; null when the row has none.</summary>
    public T? this[int row]
    {
        get
        {
            var place = _places is null ? row : _places[row];
            return place < 0 ? null : _values[place];
        }
    }

    /// <summary>Returns the values of a row's list that are not null; of a column without lists the row's value.</summary>
    public ReadOnlySpan<T> All(int row)
    {
        if (_places is null) return _values.AsSpan(row, 1);
        if (_places[row] < 0) return [];
        // The values are consecutive: a row's end where those of the next row with values begin.
        var next = row + 1;
        while (next < _places.Length && _places[next] < 0) next++;
        return _values.AsSpan(_places[row]..(next < _places.Length ? _places[next] : _count));
    }

    /// <summary>Assembles rows from values, definition levels and repetition levels, as Parquet stores them.</summary>
    /// <param name="values">The values that are not null, consecutive.</param>
    /// <param name="definitions">Definition level of each entry; null when the column is required.</param>
    /// <param name="complete">Definition level of an entry that has a value.</param>
    /// <param name="repetitions">Repetition level of each entry, 0 where a row begins; null when every entry is a row.</param>
    /// <param name="rows">Number of rows of the row group.</param>
    /// <exception cref="InvalidDataException">The levels do not match the number of rows.</exception>
    public static ColumnValues<T> Of(T[] values, int[]? definitions, int complete, int[]? repetitions, int rows)
    {
        var isWhole = definitions is null || !definitions.AsSpan().ContainsAnyExcept(complete);
        if (isWhole && repetitions is null) return new ColumnValues<T>(values, null, values.Length);
        var places = new int[rows];
        Array.Fill(places, -1);
        var (row, next) = (-1, 0);
        for (var entry = 0; entry < values.Length; entry++)
        {
            if (repetitions is null || repetitions[entry] == 0) row++;
            if (row < 0 || row >= rows) throw new InvalidDataException($"its lists are not of {rows} rows");
            if (definitions is not null && definitions[entry] != complete) continue;
            if (places[row] < 0) places[row] = next;
            next++;
        }
        return row == rows - 1 ? new ColumnValues<T>(values, places, next)
            : throw new InvalidDataException($"its lists are of {row + 1} rows instead of {rows}");
    }
}

/// <summary>
/// Thrown when a column of a row group cannot be read, because its bytes are damaged or in an unsupported encoding. The message names row
/// group, column, page and error.
/// </summary>
internal sealed class DamagedColumnException(string message, Exception? cause = null) : Exception(message, cause);
