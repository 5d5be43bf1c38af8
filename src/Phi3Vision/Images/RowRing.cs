using System.Buffers;

namespace FunctionsPipeline.Phi3Vision;

/// <summary>Ring buffer of the latest rows of an image, as many as a filter needs, rented from the array pool.</summary>
internal sealed class RowRing : IDisposable
{
    /// <summary>Number of bytes after a row that vector code may read and write.</summary>
    public const int Slack = 64;

    private readonly byte[] _buffer;
    private readonly int _rows;

    /// <param name="rows">Number of rows in the ring.</param>
    /// <param name="bytes">Number of bytes of a row.</param>
    public RowRing(int rows, int bytes)
    {
        _rows = rows;
        Stride = checked((bytes + Slack - 1) / Slack * Slack + Slack);
        _buffer = ArrayPool<byte>.Shared.Rent(checked(rows * Stride));
    }

    /// <summary>Number of bytes of a row with its slack, a multiple of <see cref="Slack"/>.</summary>
    public int Stride { get; }

    /// <summary>All rows of the ring; row n begins at <see cref="Offset"/>, and the first follows the last.</summary>
    public ReadOnlySpan<byte> Bytes => _buffer.AsSpan(0, _rows * Stride);

    /// <summary>Returns a row with its slack. Until overwritten, it holds the row that is one ring length earlier.</summary>
    public Span<byte> this[int row] => _buffer.AsSpan(Offset(row), Stride);

    public int Offset(int row) => row % _rows * Stride;

    public void Dispose() => ArrayPool<byte>.Shared.Return(_buffer);
}
