namespace FunctionsPipeline.Datasets;

/// <summary>
/// The part of a file that is in memory, as a stream over the whole file. Everything that a reader takes from it is there already, so
/// that whatever goes wrong while it reads is due to the bytes and not to the way they came.
/// </summary>
internal sealed class FileWindow(Stream file) : ReadOnlyStream
{
    // Where no part is loaded, the file begins as every Parquet file does; to fetch these bytes would cost a round trip.
    private static readonly byte[] Magic = "PAR1"u8.ToArray();

    private byte[] _bytes = [];
    private long _start;
    private int _count;

    public override long Length { get; } = file.Length;

    /// <summary>The part that is loaded.</summary>
    public ReadOnlySpan<byte> Loaded => _bytes.AsSpan(0, _count);

    /// <summary>Brings a part of the file into memory, in the place of the last one.</summary>
    /// <exception cref="EndOfStreamException">The file ends before its own length.</exception>
    public async Task LoadAsync(long start, int count, CancellationToken cancellation)
    {
        _count = 0;
        // One buffer for all parts, as long as the longest: a shared pool would keep one twice that size, and for good.
        if (_bytes.Length < count) _bytes = GC.AllocateUninitializedArray<byte>(count);
        file.Seek(start, SeekOrigin.Begin);
        await file.ReadExactlyAsync(_bytes.AsMemory(0, count), cancellation);
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
