namespace Parquet;

/// <summary>Knows how far into the file a stream is, whether the stream does or not.</summary>
internal sealed class PositionedStream(Stream stream)
{
    public long Position { get; private set; } = stream.CanSeek ? stream.Position : 0;

    public async Task WriteAsync(ReadOnlyMemory<byte> bytes, CancellationToken cancellationToken)
    {
        await stream.WriteAsync(bytes, cancellationToken).ConfigureAwait(false);
        Position += bytes.Length;
    }
}
