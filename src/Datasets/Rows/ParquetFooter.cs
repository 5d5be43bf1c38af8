using FunctionsPipeline.Datasets.Planning;

namespace FunctionsPipeline.Datasets.Rows;

/// <summary>
/// The footer of a Parquet file, by which the file can be cut down to the row groups of a unit. A footer has about a kilobyte for each row
/// group, and several when it is parsed: it is read once for a file instead of once for a unit, and parsed as far as a unit needs it.
/// </summary>
internal sealed class ParquetFooter
{
    // By parquet.thrift, the fields of FileMetaData and of RowGroup.
    private const int FileRows = 3;
    private const int FileGroups = 4;
    private const int GroupRows = 3;

    private readonly byte[] _footer;

    // The number of rows, and the list of row groups with its header.
    private readonly Range _rows, _groups;

    // Offset of each row group's metadata in the footer, and of their end.
    private readonly int[] _offsets;

    // Number of rows before each row group, and of all.
    private readonly long[] _starts;

    private ParquetFooter(byte[] footer, Range rows, Range groups, int[] offsets, long[] starts)
    {
        _footer = footer;
        _rows = rows;
        _groups = groups;
        _offsets = offsets;
        _starts = starts;
    }

    /// <param name="file">A seekable stream, which stays open.</param>
    /// <exception cref="InvalidDataException">The stream is not a Parquet file, or its footer is damaged.</exception>
    public static async Task<ParquetFooter> ReadAsync(Stream file, CancellationToken cancellationToken)
    {
        var window = new FileWindow(file);
        var footer = await ParquetFile.LoadFooterAsync(window, cancellationToken);
        return Parse(window.Loaded[footer].ToArray());
    }

    /// <summary>Cuts a file down to the row groups that have rows of a unit.</summary>
    /// <returns>A file whose footer has these row groups only, and the unit in it.</returns>
    /// <exception cref="InvalidDataException">Rows of the unit are missing.</exception>
    public (Stream File, IngestUnit Unit) Cut(Stream file, IngestUnit unit)
    {
        var (from, to) = (unit.Start - unit.FileStart, unit.Start - unit.FileStart + unit.Count);
        if (to > _starts[^1]) throw new InvalidDataException($"it has {_starts[^1]} rows, and {to} are to be read");
        var first = Array.FindLastIndex(_starts, start => start <= from);
        var end = Array.FindIndex(_starts, start => start >= to);
        using var cut = new MemoryStream();
        cut.Write(_footer.AsSpan(.._rows.Start));
        // Zigzag encoding of a number that is not negative.
        WriteVarint(cut, (ulong)(_starts[end] - _starts[first]) << 1);
        cut.Write(_footer.AsSpan(_rows.End.._groups.Start));
        // A list of structures: 15 elements or more are counted by a number of their own.
        cut.WriteByte(0xF0 | (byte)ThriftType.Struct);
        WriteVarint(cut, (ulong)(end - first));
        cut.Write(_footer.AsSpan(_offsets[first].._offsets[end]));
        cut.Write(_footer.AsSpan(_groups.End..));
        cut.Write(BitConverter.GetBytes((uint)cut.Length));
        cut.Write("PAR1"u8);
        return (new CutFile(file, cut.ToArray()), unit with { FileStart = unit.FileStart + _starts[first], FirstGroup = first });
    }

    private static ParquetFooter Parse(byte[] footer)
    {
        var reader = new ThriftReader(footer);
        var (rowsStart, rowsEnd, listStart, listEnd) = (0, 0, 0, 0);
        var offsets = new List<int>();
        List<long> starts = [0];
        for (var id = 0; reader.NextField(ref id, out var type);)
        {
            switch (id, type)
            {
                case (FileRows, ThriftType.I64):
                    rowsStart = reader.Position;
                    reader.Skip(type);
                    rowsEnd = reader.Position;
                    break;
                case (FileGroups, ThriftType.List):
                    listStart = reader.Position;
                    for (var left = reader.ReadListHeader(); left > 0; left--)
                    {
                        offsets.Add(reader.Position);
                        starts.Add(starts[^1] + ReadRows(ref reader));
                    }
                    listEnd = reader.Position;
                    offsets.Add(listEnd);
                    break;
                default:
                    reader.Skip(type);
                    break;
            }
        }
        if (rowsStart == 0 || listStart < rowsEnd) throw new InvalidDataException("its footer is damaged: it has no rows or no row groups");
        return new ParquetFooter(footer, rowsStart..rowsEnd, listStart..listEnd, [.. offsets], [.. starts]);
    }

    private static long ReadRows(ref ThriftReader reader)
    {
        var rows = 0L;
        for (var id = 0; reader.NextField(ref id, out var type);)
        {
            if (id == GroupRows && type == ThriftType.I64) rows = reader.ReadI64();
            else reader.Skip(type);
        }
        return rows is >= 0 and <= int.MaxValue ? rows
            : throw new InvalidDataException($"its footer is damaged: a row group has {rows} rows");
    }

    private static void WriteVarint(Stream stream, ulong value)
    {
        for (; value > 0x7F; value >>= 7) stream.WriteByte((byte)(value | 0x80));
        stream.WriteByte((byte)value);
    }

    /// <summary>
    /// A file with another footer behind it. Zeros between them keep a reader that guesses the footer's size from reading the file's end.
    /// </summary>
    private sealed class CutFile(Stream file, byte[] footer) : ReadOnlyStream
    {
        private readonly long _footerStart = file.Length + ParquetFile.FooterGuess;

        public override long Length { get; } = file.Length + ParquetFile.FooterGuess + footer.Length;

        public override int Read(byte[] buffer, int offset, int count) =>
            ReadAsync(buffer.AsMemory(offset, count), CancellationToken.None).AsTask().GetAwaiter().GetResult();

        public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
        {
            var end = Position < file.Length ? file.Length : Position < _footerStart ? _footerStart : Length;
            var count = (int)Math.Min(buffer.Length, end - Position);
            if (count <= 0) return 0;
            if (Position < file.Length)
            {
                file.Seek(Position, SeekOrigin.Begin);
                count = await file.ReadAsync(buffer[..count], cancellationToken);
            }
            else if (Position < _footerStart) buffer.Span[..count].Clear();
            else footer.AsMemory((int)(Position - _footerStart), count).CopyTo(buffer);
            Position += count;
            return count;
        }
    }
}
