using System.Buffers;

namespace FunctionsPipeline.Phi3Vision;

/// <summary>The latest rows of a picture, in a buffer from the pool that holds no more rows than a filter looks back.</summary>
internal sealed class RowRing : IDisposable
{
    /// <summary>Bytes after a row that vector code may read and write.</summary>
    public const int Slack = 64;

    private readonly byte[] _buffer;
    private readonly int _rows;

    /// <param name="rows">How many rows it remembers.</param>
    /// <param name="bytes">Bytes of a row.</param>
    public RowRing(int rows, int bytes)
    {
        _rows = rows;
        Stride = checked((bytes + Slack - 1) / Slack * Slack + Slack);
        _buffer = ArrayPool<byte>.Shared.Rent(checked(rows * Stride));
    }

    /// <summary>Bytes of a row with its slack, a multiple of <see cref="Slack"/>.</summary>
    public int Stride { get; }

    /// <summary>All rows; row n begins at <see cref="Offset"/>, and the first follows on the last.</summary>
    public ReadOnlySpan<byte> Bytes => _buffer.AsSpan(0, _rows * Stride);

    /// <summary>A row with its slack. What it held before is whatever the row had that is so many rows back.</summary>
    public Span<byte> this[int row] => _buffer.AsSpan(Offset(row), Stride);

    public int Offset(int row) => row % _rows * Stride;

    public void Dispose() => ArrayPool<byte>.Shared.Return(_buffer);
}
