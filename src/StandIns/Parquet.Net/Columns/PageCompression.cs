using System.IO.Compression;
using IronSnappy;
using Parquet.Meta;

namespace Parquet.Columns;

/// <summary>Packs and unpacks pages.</summary>
internal static class PageCompression
{
    // The most that a byte of each codec can expand to; a page that claims more is damaged, and nothing is allocated for it.
    private const int SnappyRatio = 22;
    private const int Lz4Ratio = 255;
    private const int GzipRatio = 1032;

    // These two have no such bound, but a page of a real file is some megabytes.
    private const int LargestPage = 1 << 30;

    /// <returns>A copy of its own, whatever the codec.</returns>
    /// <exception cref="InvalidDataException">The bytes do not unpack to a page of this size.</exception>
    public static byte[] Decompress(CompressionCodec codec, ReadOnlySpan<byte> bytes, int size)
    {
        if (size < 0) throw new InvalidDataException("a page has a negative size");
        // Nothing unpacks to nothing, whatever some writers put there.
        if (size == 0) return [];
        var page = codec switch
        {
            CompressionCodec.UNCOMPRESSED => bytes.ToArray(),
            CompressionCodec.SNAPPY => Unsnap(bytes, size),
            CompressionCodec.GZIP => Gunzip(bytes, size),
            CompressionCodec.BROTLI => Unbrotli(bytes, size),
            CompressionCodec.ZSTD => Unzstd(bytes, size),
            CompressionCodec.LZ4_RAW => Unlz4(bytes, size),
            _ => throw new ParquetException(
                $"compression {codec} is not supported by this build (uncompressed, Snappy, Gzip, Brotli, Zstandard and LZ4_RAW are)"),
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
        return gzip.ReadAtLeast(page, size, throwOnEndOfStream: false) == size ? page : throw new InvalidDataException("a page ends too early");
    }

    private static byte[] Unbrotli(ReadOnlySpan<byte> bytes, int size)
    {
        Bound(bytes, size, LargestPage);
        var page = new byte[size];
        return BrotliDecoder.TryDecompress(bytes, page, out var written) && written == size ? page
            : throw new InvalidDataException($"a page does not unpack to {size} bytes");
    }

    private static byte[] Unzstd(ReadOnlySpan<byte> bytes, int size)
    {
        Bound(bytes, size, LargestPage);
        var page = new byte[size];
        Zstandard.Decode(bytes, page);
        return page;
    }

    private static byte[] Unlz4(ReadOnlySpan<byte> bytes, int size)
    {
        Bound(bytes, size, Lz4Ratio);
        var page = new byte[size];
        Lz4Block.Decode(bytes, page);
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
        if (size > ((long)bytes.Length * ratio) + 64 || size > LargestPage)
            throw new InvalidDataException($"a page of {bytes.Length} bytes claims to unpack to {size}");
    }
}
