using System.Buffers.Binary;
using Parquet.Meta;

namespace Parquet.Columns;

/// <summary>Brings pages of the other encodings to the PLAIN one, so that each type needs one decoder only.</summary>
internal static class PageEncodings
{
    // Prefixes that repeat can expand without end; a page of a real file is some megabytes.
    private const int LargestPage = 1 << 30;

    /// <param name="encoding">Of the page; dictionaries are not for here.</param>
    /// <param name="type">How the values are stored.</param>
    /// <param name="fixedLength">Bytes of a value of <see cref="Meta.Type.FIXED_LEN_BYTE_ARRAY"/>.</param>
    /// <param name="page">The values, without levels.</param>
    /// <param name="count">How many values there are.</param>
    /// <exception cref="ParquetException">The encoding is not for the type.</exception>
    /// <exception cref="InvalidDataException">The page is damaged.</exception>
    public static ReadOnlyMemory<byte> ToPlain(Encoding encoding, Meta.Type type, int fixedLength, ReadOnlyMemory<byte> page, int count) =>
        (encoding, type) switch
        {
            (Encoding.PLAIN, _) => page,
            (Encoding.RLE, Meta.Type.BOOLEAN) => Booleans(page.Span, count),
            (Encoding.DELTA_BINARY_PACKED, Meta.Type.INT32) => Integers(page.Span, count, sizeof(int)),
            (Encoding.DELTA_BINARY_PACKED, Meta.Type.INT64) => Integers(page.Span, count, sizeof(long)),
            (Encoding.DELTA_LENGTH_BYTE_ARRAY, Meta.Type.BYTE_ARRAY) => Lengths(page.Span, count),
            (Encoding.DELTA_BYTE_ARRAY, Meta.Type.BYTE_ARRAY or Meta.Type.FIXED_LEN_BYTE_ARRAY) => Prefixes(page.Span, count, fixedLength),
            (Encoding.BYTE_STREAM_SPLIT, Meta.Type.FLOAT or Meta.Type.INT32) => Streams(page.Span, count, sizeof(int)),
            (Encoding.BYTE_STREAM_SPLIT, Meta.Type.DOUBLE or Meta.Type.INT64) => Streams(page.Span, count, sizeof(long)),
            (Encoding.BYTE_STREAM_SPLIT, Meta.Type.FIXED_LEN_BYTE_ARRAY) => Streams(page.Span, count, fixedLength),
            _ => throw new ParquetException($"encoding {encoding} of {type} is not supported"),
        };

    private static byte[] Booleans(ReadOnlySpan<byte> page, int count)
    {
        var bits = new int[count];
        if (count > 0) RunLengths.Decode(page.Slice(sizeof(int), BinaryPrimitives.ReadInt32LittleEndian(page)), 1, bits);
        var plain = new byte[(count + 7) / 8];
        for (var i = 0; i < count; i++) plain[i / 8] |= (byte)(bits[i] << (i % 8));
        return plain;
    }

    private static byte[] Integers(ReadOnlySpan<byte> page, int count, int width)
    {
        var values = DeltaDecoder.Decode(page, count, out _);
        var plain = new byte[count * width];
        for (var i = 0; i < count; i++)
        {
            if (width == sizeof(int)) BinaryPrimitives.WriteInt32LittleEndian(plain.AsSpan(i * width), (int)values[i]);
            else BinaryPrimitives.WriteInt64LittleEndian(plain.AsSpan(i * width), values[i]);
        }
        return plain;
    }

    private static byte[] Lengths(ReadOnlySpan<byte> page, int count)
    {
        var lengths = DeltaDecoder.Decode(page, count, out var at);
        var plain = new byte[PlainSize(lengths, sizeof(int))];
        var to = 0;
        foreach (var length in lengths)
        {
            BinaryPrimitives.WriteInt32LittleEndian(plain.AsSpan(to), (int)length);
            page.Slice(at, (int)length).CopyTo(plain.AsSpan(to + sizeof(int)));
            (at, to) = (at + (int)length, to + sizeof(int) + (int)length);
        }
        return plain;
    }

    private static byte[] Prefixes(ReadOnlySpan<byte> page, int count, int fixedLength)
    {
        var prefixes = DeltaDecoder.Decode(page, count, out var size);
        page = page[size..];
        var suffixes = DeltaDecoder.Decode(page, count, out var at);
        var head = fixedLength > 0 ? 0 : sizeof(int);
        var plain = new byte[PlainSize([.. prefixes.Zip(suffixes, checked((prefix, suffix) => prefix + suffix))], head)];
        var (to, last) = (0, Range.EndAt(0));
        for (var i = 0; i < count; i++)
        {
            var (prefix, suffix) = (checked((int)prefixes[i]), checked((int)suffixes[i]));
            if (fixedLength > 0 && prefix + suffix != fixedLength) throw new InvalidDataException($"a value has {prefix + suffix} bytes instead of {fixedLength}");
            if (head > 0) BinaryPrimitives.WriteInt32LittleEndian(plain.AsSpan(to), prefix + suffix);
            to += head;
            plain.AsSpan(last)[..prefix].CopyTo(plain.AsSpan(to));
            page.Slice(at, suffix).CopyTo(plain.AsSpan(to + prefix));
            last = to..(to + prefix + suffix);
            (at, to) = (at + suffix, to + prefix + suffix);
        }
        return plain;
    }

    private static byte[] Streams(ReadOnlySpan<byte> page, int count, int width)
    {
        if (page.Length != (long)count * width) throw new InvalidDataException($"{count} values of {width} bytes are said to be in {page.Length} bytes");
        var plain = new byte[page.Length];
        for (var stream = 0; stream < width; stream++)
            for (var i = 0; i < count; i++) plain[(i * width) + stream] = page[(stream * count) + i];
        return plain;
    }

    private static int PlainSize(long[] lengths, int head)
    {
        long size = 0;
        foreach (var length in lengths)
        {
            if (length < 0 || (size += length + head) > LargestPage) throw new InvalidDataException("its values are longer than a page can be");
        }
        return (int)size;
    }
}
