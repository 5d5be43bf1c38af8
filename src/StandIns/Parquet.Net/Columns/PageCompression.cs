using System.IO.Compression;
using IronSnappy;
using Parquet.Meta;

namespace Parquet.Columns;

/// <summary>Packs and unpacks pages.</summary>
internal static class PageCompression
{
    // The most that a byte of each codec can expand to; a page that claims more is damaged, and nothing is allocated for it.
    private const int SnappyRatio = 22;
    private const int GzipRatio = 1032;

    /// <returns>A copy of its own, whatever the codec.</returns>
    public static byte[] Decompress(CompressionCodec codec, ReadOnlySpan<byte> bytes, int size)
    {
        if (size < 0) throw new InvalidDataException("a page has a negative size");
        var page = codec switch
        {
            CompressionCodec.UNCOMPRESSED => bytes.ToArray(),
            CompressionCodec.SNAPPY => size == 0 && bytes.IsEmpty ? [] : Unsnap(bytes, size),
            CompressionCodec.GZIP => Gunzip(bytes, size),
            _ => throw new ParquetException($"compression {codec} is not supported by this build (uncompressed, Snappy and Gzip are)"),
        };
        return page.Length == size ? page : throw new InvalidDataException($"a page unpacks to {page.Length} bytes instead of {size}");
    }

    public static byte[] Compress(CompressionMethod method, byte[] page) => method switch
    {
        CompressionMethod.None => page,
        CompressionMethod.Snappy => Snappy.Encode(page),
        CompressionMethod.Gzip => Gzip(page),
        _ => throw new NotSupportedException($"compression {method} is not supported by this build"),
    };

    private static byte[] Unsnap(ReadOnlySpan<byte> bytes, int size)
    {
        Bound(bytes, size, SnappyRatio);
        ulong claimed = 0;
        for (int i = 0, shift = 0; i < Math.Min(bytes.Length, 5); i++, shift += 7)
        {
            claimed |= (ulong)(bytes[i] & 0x7F) << shift;
            if (bytes[i] < 0x80) break;
        }
        if (claimed != (ulong)size) throw new InvalidDataException($"a page unpacks to {claimed} bytes instead of {size}");
        try
        {
            return Snappy.Decode(bytes);
        }
        catch (Exception exception) when (exception is not OutOfMemoryException)
        {
            throw new InvalidDataException($"a page cannot be unpacked: {exception.Message}", exception);
        }
    }

    private static byte[] Gunzip(ReadOnlySpan<byte> bytes, int size)
    {
        Bound(bytes, size, GzipRatio);
        using var gzip = new GZipStream(new MemoryStream(bytes.ToArray()), CompressionMode.Decompress);
        var page = new byte[size];
        gzip.ReadExactly(page);
        return page;
    }

    private static byte[] Gzip(byte[] page)
    {
        using var output = new MemoryStream();
        using (var gzip = new GZipStream(output, CompressionLevel.Optimal)) gzip.Write(page);
        return output.ToArray();
    }

    private static void Bound(ReadOnlySpan<byte> bytes, int size, int ratio)
    {
        if (size > ((long)bytes.Length * ratio) + 64)
            throw new InvalidDataException($"a page of {bytes.Length} bytes claims to unpack to {size}");
    }
}
