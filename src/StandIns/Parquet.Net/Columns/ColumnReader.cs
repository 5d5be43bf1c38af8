using System.Buffers.Binary;
using Parquet.Meta;
using Parquet.Schema;

namespace Parquet.Columns;

/// <summary>Reads the pages of a column chunk: dictionary pages, data pages of versions 1 and 2.</summary>
internal sealed class ColumnReader<T>(DataField field, ColumnMetaData column, ColumnTarget<T> target)
    where T : struct
{
    private readonly PlainDecoder<T> plain = PlainDecoder<T>.Create(field, column.Type);
    private T[]? dictionary;

    // How many entries of the chunk, nulls included, and how many values have been read.
    private int entries;
    private int defined;

    /// <exception cref="InvalidDataException">The pages contradict the footer or themselves.</exception>
    /// <exception cref="ParquetException">An encoding or compression is not supported.</exception>
    public async ValueTask ReadAsync(Stream stream, CancellationToken cancellationToken)
    {
        var chunk = new ColumnChunkStream(stream, column);
        chunk.Open();
        while (entries < column.NumValues)
        {
            var header = await chunk.ReadHeaderAsync(cancellationToken).ConfigureAwait(false);
            var bytes = await chunk.ReadAsync(header.CompressedPageSize, cancellationToken).ConfigureAwait(false);
            switch (header.Type)
            {
                case PageType.DICTIONARY_PAGE:
                    ReadDictionary(header, bytes.Span);
                    break;
                case PageType.DATA_PAGE:
                    ReadData(header, bytes.Span);
                    break;
                case PageType.DATA_PAGE_V2:
                    ReadDataV2(header, bytes.Span);
                    break;
                default:
                    throw new InvalidDataException($"a page of type {header.Type} is among its data pages");
            }
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
        if (header.NumValues > column.NumValues - entries || header.NumValues == 0)
            throw new InvalidDataException($"a page of {header.NumValues} values follows {entries} of {column.NumValues}");
    }

    private int ReadDefinitionLevels(ReadOnlySpan<byte> bytes, int count)
    {
        var levels = target.DefinitionLevels.Span.Slice(entries, count);
        RunLengths.Decode(bytes, BitWidth(field.MaxDefinitionLevel), levels);
        return levels.Count(field.MaxDefinitionLevel);
    }

    private void ReadValues(PageHeader header, ReadOnlyMemory<byte> page, int count)
    {
        var values = target.Values.Span.Slice(defined, count);
        switch (header.Encoding)
        {
            case Encoding.PLAIN:
                plain.CheckCount(page, count);
                plain.Decode(page, values);
                break;
            case Encoding.PLAIN_DICTIONARY or Encoding.RLE_DICTIONARY:
                ReadIndexes(page.Span, values);
                break;
            case Encoding.RLE when typeof(T) == typeof(bool):
                var bits = new int[count];
                RunLengths.Decode(Prefixed(ref page), 1, bits);
                for (var i = 0; i < count; i++) values[i] = (T)(object)(bits[i] == 1);
                break;
            default:
                throw new ParquetException($"column '{field.Path}': encoding {header.Encoding} is not supported.");
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
