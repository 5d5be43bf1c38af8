using System.Threading.RateLimiting;

namespace FunctionsPipeline.Datasets;

/// <summary>Lets units read their row groups while there is memory for them, in the order in which they ask.</summary>
internal sealed class RowGroupMemory : IDisposable
{
    // A limiter counts in whole numbers of 32 bits.
    private const long Permit = 1 << 20;

    // What a row group takes while it is read, as it was measured: its pages, unpacked, and the values that are made of them.
    private const int TimesItsSize = 3;

    private readonly int _permits;
    private readonly ConcurrencyLimiter _limiter;

    /// <param name="bytes">All that there is.</param>
    public RowGroupMemory(long bytes)
    {
        _permits = (int)Math.Clamp(bytes / Permit, 1, int.MaxValue);
        _limiter = new ConcurrencyLimiter(new ConcurrencyLimiterOptions
        {
            PermitLimit = _permits,
            QueueLimit = int.MaxValue,
            QueueProcessingOrder = QueueProcessingOrder.OldestFirst,
        });
    }

    /// <summary>Waits until there is room for a unit; a unit that needs all there is, or more, waits until it is alone.</summary>
    /// <returns>To be disposed when the unit is done.</returns>
    public ValueTask<RateLimitLease> TakeAsync(IngestUnit unit, CancellationToken cancellation) =>
        _limiter.AcquireAsync((int)Math.Clamp(unit.GroupBytes * TimesItsSize / Permit, 1, _permits), cancellation);

    public void Dispose() => _limiter.Dispose();
}
