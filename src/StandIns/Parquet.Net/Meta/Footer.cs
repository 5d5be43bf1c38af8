using System.Buffers.Binary;

namespace Parquet.Meta;

/// <summary>Finds and reads the footer: structure, its length in 4 bytes, magic.</summary>
internal static class Footer
{
    // Most footers are within this, so that one read over the network is enough.
    private const int Guess = 64 << 10;

    private const int TailLength = 8;

    public static async Task<FileMetaData> ReadAsync(Stream stream, CancellationToken cancellationToken)
    {
        var length = stream.Length;
        if (length <= TailLength) throw new IOException("not a Parquet file (size too small)");
        var end = await ReadEndAsync(stream, (int)Math.Min(length, Guess), cancellationToken).ConfigureAwait(false);
        if (!end.AsSpan()[^ParquetActor.Magic.Length..].SequenceEqual(ParquetActor.Magic))
            throw new IOException($"not a Parquet file, tail: {Convert.ToHexString(end.AsSpan()[^ParquetActor.Magic.Length..])}");
        var size = BinaryPrimitives.ReadUInt32LittleEndian(end.AsSpan()[^TailLength..]);
        if (size > length - TailLength) throw new ParquetException($"the footer says that it is {size} bytes long; the file has {length}");
        if (size + TailLength > end.Length)
            end = await ReadEndAsync(stream, (int)size + TailLength, cancellationToken).ConfigureAwait(false);
        var metadata = Parse(end.AsSpan(end.Length - TailLength - (int)size, (int)size));
        if (metadata.RowGroups.Find(group => group.NumRows is < 0 or > int.MaxValue) is { } bad)
            throw new ParquetException($"the footer says that a row group has {bad.NumRows} rows");
        return metadata;
    }

    private static FileMetaData Parse(ReadOnlySpan<byte> footer)
    {
        try
        {
            var reader = new ThriftReader(footer);
            return MetaReader.FileMetaData(ref reader);
        }
        catch (Exception exception) when (exception is IOException or InvalidDataException or OverflowException)
        {
            throw new ParquetException($"the footer is corrupt: {exception.Message}", exception);
        }
    }

    private static async Task<byte[]> ReadEndAsync(Stream stream, int count, CancellationToken cancellationToken)
    {
        var bytes = new byte[count];
        stream.Seek(-count, SeekOrigin.End);
        await stream.ReadExactlyAsync(bytes, cancellationToken).ConfigureAwait(false);
        return bytes;
    }
}
