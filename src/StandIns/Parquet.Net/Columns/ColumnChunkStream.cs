using Parquet.Meta;

namespace Parquet.Columns;

/// <summary>The bytes of one column chunk, read forward once; it never goes beyond the chunk.</summary>
internal sealed class ColumnChunkStream(Stream stream, ColumnMetaData column)
{
    private const int HeaderGuess = 4096;

    private byte[] buffer = new byte[HeaderGuess];
    private int start;
    private int end;
    private long unread = column.TotalCompressedSize;

    /// <summary>Where the chunk begins: the dictionary, if there is one, comes first.</summary>
    public static long Start(ColumnMetaData column) =>
        column.DictionaryPageOffset is > 0 and var dictionary ? Math.Min(dictionary, column.DataPageOffset) : column.DataPageOffset;

    public void Open() => stream.Seek(Start(column), SeekOrigin.Begin);

    /// <summary>Puts the stream behind what was taken, as if nothing had been read ahead: where the real package is when a page fails.</summary>
    public void Rewind() => stream.Seek(Start(column) + column.TotalCompressedSize - unread - (end - start), SeekOrigin.Begin);

    public async ValueTask<PageHeader> ReadHeaderAsync(CancellationToken cancellationToken)
    {
        for (var guess = HeaderGuess; ; guess *= 2)
        {
            var complete = await FillAsync(guess, cancellationToken).ConfigureAwait(false);
            try
            {
                return Parse();
            }
            catch (EndOfStreamException) when (complete)
            {
                // Statistics in the header can make it longer than guessed.
            }
            catch (EndOfStreamException exception)
            {
                throw new InvalidDataException("a page header ends too early", exception);
            }
        }
    }

    /// <summary>The next bytes; valid until the next read.</summary>
    public async ValueTask<ReadOnlyMemory<byte>> ReadAsync(int count, CancellationToken cancellationToken)
    {
        if (count > end - start + unread) throw new InvalidDataException($"a page of {count} bytes goes beyond its column");
        await FillAsync(count, cancellationToken).ConfigureAwait(false);
        start += count;
        return buffer.AsMemory(start - count, count);
    }

    private PageHeader Parse()
    {
        var reader = new ThriftReader(buffer.AsSpan(start, end - start));
        var header = MetaReader.PageHeader(ref reader);
        start += reader.Position;
        return header;
    }

    /// <summary>Makes that many bytes available; false if the chunk ends before.</summary>
    private async ValueTask<bool> FillAsync(int count, CancellationToken cancellationToken)
    {
        var missing = count - (end - start);
        if (missing <= 0) return true;
        if (start + count > buffer.Length)
        {
            var target = count > buffer.Length ? new byte[count] : buffer;
            buffer.AsSpan(start, end - start).CopyTo(target);
            (buffer, start, end) = (target, 0, end - start);
        }
        var wanted = (int)Math.Min(missing, unread);
        await stream.ReadExactlyAsync(buffer.AsMemory(end, wanted), cancellationToken).ConfigureAwait(false);
        end += wanted;
        unread -= wanted;
        return wanted == missing;
    }
}
