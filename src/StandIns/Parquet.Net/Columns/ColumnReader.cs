using System.Buffers.Binary;
using System.IO.Hashing;
using Parquet.Meta;
using Parquet.Schema;

namespace Parquet.Columns;

/// <summary>Reads the pages of a column chunk: dictionary pages, data pages of versions 1 and 2.</summary>
internal sealed class ColumnReader<T>(DataField field, ColumnMetaData column, ColumnTarget<T> target)
    where T : struct
{
    private readonly PlainDecoder<T> plain = PlainDecoder<T>.Create(field, column.Type);
    private T[]? dictionary;
    private int page;

    // How many entries of the chunk, nulls included, and how many values have been read.
    private int entries;
    private int defined;

    /// <exception cref="InvalidDataException">A page is damaged, or written in a way that is not supported; the message begins with its number.</exception>
    /// <exception cref="ParquetException">The type is not supported.</exception>
    public async ValueTask ReadAsync(Stream stream, CancellationToken cancellationToken)
    {
        var chunk = new ColumnChunkStream(stream, column);
        chunk.Open();
        while (entries < column.NumValues)
        {
            PageHeader header;
            ReadOnlyMemory<byte> bytes;
            try
            {
                header = await chunk.ReadHeaderAsync(cancellationToken).ConfigureAwait(false);
                bytes = await chunk.ReadAsync(header.CompressedPageSize, cancellationToken).ConfigureAwait(false);
                Read(header, bytes.Span);
            }
            catch (Exception exception) when (exception is InvalidDataException or ParquetException or IndexOutOfRangeException or ArgumentException or OverflowException)
            {
                chunk.Rewind();
                throw new InvalidDataException($"page {page}: {exception.Message}", exception);
            }
            page++;
        }
    }

    private void Read(PageHeader header, ReadOnlySpan<byte> bytes)
    {
        if (header.Crc is { } crc && Crc32.HashToUInt32(bytes) is var actual && actual != (uint)crc)
            throw new InvalidDataException($"its checksum is {crc:x8}, and its bytes have {actual:x8}");
        switch (header.Type)
        {
            case PageType.DICTIONARY_PAGE:
                ReadDictionary(header, bytes);
                break;
            case PageType.DATA_PAGE:
                ReadData(header, bytes);
                break;
            case PageType.DATA_PAGE_V2:
                ReadDataV2(header, bytes);
                break;
            default:
                throw new InvalidDataException($"it is of type {header.Type}, among data pages");
        }
    }

    private void ReadDictionary(PageHeader header, ReadOnlySpan<byte> bytes)
    {
        var page = PageCompression.Decompress(column.Codec, bytes, header.UncompressedPageSize);
        plain.CheckCount(page, header.NumValues);
        dictionary = new T[header.NumValues];
        plain.Decode(page, dictionary);
    }

    private void ReadData(PageHeader header, ReadOnlySpan<byte> bytes)
    {
        CheckCount(header);
        ReadOnlyMemory<byte> page = PageCompression.Decompress(column.Codec, bytes, header.UncompressedPageSize);
        if (field.MaxRepetitionLevel > 0)
            RunLengths.Decode(Prefixed(ref page), BitWidth(field.MaxRepetitionLevel), target.RepetitionLevels.Span.Slice(entries, header.NumValues));
        var values = field.MaxDefinitionLevel > 0 ? ReadDefinitionLevels(Prefixed(ref page), header.NumValues) : header.NumValues;
        ReadValues(header, page, values);
    }

    private void ReadDataV2(PageHeader header, ReadOnlySpan<byte> bytes)
    {
        CheckCount(header);
        var repetition = bytes[..header.RepetitionLevelsByteLength];
        var definition = bytes.Slice(repetition.Length, header.DefinitionLevelsByteLength);
        var levels = repetition.Length + definition.Length;
        if (field.MaxRepetitionLevel > 0)
            RunLengths.Decode(repetition, BitWidth(field.MaxRepetitionLevel), target.RepetitionLevels.Span.Slice(entries, header.NumValues));
        var values = field.MaxDefinitionLevel > 0 ? ReadDefinitionLevels(definition, header.NumValues) : header.NumValues;
        var codec = header.IsCompressed ? column.Codec : CompressionCodec.UNCOMPRESSED;
        ReadValues(header, PageCompression.Decompress(codec, bytes[levels..], header.UncompressedPageSize - levels), values);
    }

    private void CheckCount(PageHeader header)
    {
        if (header.NumValues > column.NumValues - entries)
            throw new InvalidDataException($"a page of {header.NumValues} values follows {entries} of {column.NumValues}");
    }

    private int ReadDefinitionLevels(ReadOnlySpan<byte> bytes, int count)
    {
        var levels = target.DefinitionLevels.Span.Slice(entries, count);
        RunLengths.Decode(bytes, BitWidth(field.MaxDefinitionLevel), levels);
        return levels.Count(field.MaxDefinitionLevel);
    }

    private void ReadValues(PageHeader header, ReadOnlyMemory<byte> body, int count)
    {
        var values = target.Values.Span.Slice(defined, count);
        switch (header.Encoding)
        {
            case Encoding.PLAIN_DICTIONARY or Encoding.RLE_DICTIONARY:
                ReadIndexes(body.Span, values);
                break;
            default:
                var decoded = PageEncodings.ToPlain(header.Encoding, column.Type, field.FixedLength, body, count);
                plain.CheckCount(decoded, count);
                plain.Decode(decoded, values);
                break;
        }
        entries += header.NumValues;
        defined += count;
    }

    private void ReadIndexes(ReadOnlySpan<byte> page, Span<T> values)
    {
        if (values.Length == 0) return;
        if (dictionary is null) throw new InvalidDataException("its dictionary is missing");
        var indexes = new int[values.Length];
        RunLengths.Decode(page[1..], page[0], indexes);
        for (var i = 0; i < indexes.Length; i++)
        {
            if ((uint)indexes[i] >= (uint)dictionary.Length)
                throw new InvalidDataException($"an index of {indexes[i]} is over its dictionary of {dictionary.Length}");
            values[i] = dictionary[indexes[i]];
        }
    }

    // Levels of version 1 and boolean runs have their length before them.
    private static ReadOnlySpan<byte> Prefixed(ref ReadOnlyMemory<byte> page)
    {
        var length = BinaryPrimitives.ReadInt32LittleEndian(page.Span);
        var bytes = page.Slice(sizeof(int), length);
        page = page[(sizeof(int) + length)..];
        return bytes.Span;
    }

    private static int BitWidth(int maximum) => 32 - int.LeadingZeroCount(maximum);
}
