namespace FunctionsPipeline.Datasets;

/// <summary>
/// Stream over a complete file with one part loaded in memory. Readers get loaded bytes only, so a read error is caused by the file's
/// content, never by the network.
/// </summary>
internal sealed class FileWindow(Stream file) : ReadOnlyStream
{
    // Parquet.Net checks the magic number at the start of the file; answering with the constant saves a round trip.
    private static readonly byte[] Magic = "PAR1"u8.ToArray();

    private byte[] _bytes = [];
    private long _start;
    private int _count;

    public override long Length { get; } = file.Length;

    /// <summary>The loaded part.</summary>
    public ReadOnlySpan<byte> Loaded => _bytes.AsSpan(0, _count);

    /// <summary>Loads a part of the file into memory and drops the previous one.</summary>
    /// <exception cref="EndOfStreamException">The file is shorter than its stated length.</exception>
    public async Task LoadAsync(long start, int count, CancellationToken cancellationToken)
    {
        _count = 0;
        // One buffer serves all parts and grows to the longest: ArrayPool would round its size up to a power of two and keep it.
        if (_bytes.Length < count) _bytes = GC.AllocateUninitializedArray<byte>(count);
        file.Seek(start, SeekOrigin.Begin);
        await file.ReadExactlyAsync(_bytes.AsMemory(0, count), cancellationToken);
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
