using System.Threading.RateLimiting;

namespace FunctionsPipeline.Datasets;

/// <summary>Limits the memory of row groups being read; units wait for it in first-in, first-out order.</summary>
internal sealed class RowGroupMemory : IDisposable
{
    // Bytes per permit: ConcurrencyLimiter counts permits in 32 bits, too few for single bytes.
    private const long Permit = 1 << 20;

    // Measured ratio of peak memory to uncompressed size while a row group is read: unpacked pages plus the values made of them.
    private const int TimesItsSize = 3;

    private readonly int _permits;
    private readonly ConcurrencyLimiter _limiter;

    /// <param name="bytes">The memory budget in bytes.</param>
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

    /// <summary>Waits for the memory of a unit; a unit that needs the complete budget or more runs alone.</summary>
    /// <returns>A lease to dispose when the unit is done.</returns>
    public ValueTask<RateLimitLease> TakeAsync(IngestUnit unit, CancellationToken cancellationToken) =>
        _limiter.AcquireAsync((int)Math.Clamp(unit.GroupBytes * TimesItsSize / Permit, 1, _permits), cancellationToken);

    public void Dispose() => _limiter.Dispose();
}
