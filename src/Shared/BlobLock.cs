using Azure;
using Azure.Storage.Blobs;
using Azure.Storage.Blobs.Models;
using Azure.Storage.Blobs.Specialized;

namespace FunctionsPipeline.Shared;

/// <summary>
/// Lock that one process at a time holds: a lease on a blob, renewed while it is held. It becomes free at most <see cref="Lifetime"/> after
/// its holder has died. Compiled into the app and into the GPU worker.
/// </summary>
internal sealed class BlobLock : IAsyncDisposable
{
    /// <summary>Time after which the lock of a dead holder is free.</summary>
    public static readonly TimeSpan Lifetime = TimeSpan.FromSeconds(20);

    private static readonly TimeSpan RenewEvery = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan RetryEvery = TimeSpan.FromSeconds(1);

    private readonly BlobLeaseClient _lease;
    private readonly TimeProvider _time;
    private readonly CancellationTokenSource _released = new();
    private readonly CancellationTokenSource _lost = new();
    private readonly Task _renewing;

    private BlobLock(BlobLeaseClient lease, TimeProvider time)
    {
        (_lease, _time) = (lease, time);
        _renewing = RenewAsync();
    }

    /// <summary>Cancelled when another process has taken the lock.</summary>
    public CancellationToken Lost => _lost.Token;

    /// <summary>Acquires the lock.</summary>
    /// <param name="blob">Blob of the lock, which is created if it is missing.</param>
    /// <param name="patience">Time to wait for another holder; zero for a single try.</param>
    /// <returns>The lock, to be disposed of; null when another process holds it for longer.</returns>
    public static async Task<BlobLock?> AcquireAsync(
        BlobClient blob, TimeSpan patience, TimeProvider time, CancellationToken cancellationToken)
    {
        var asked = time.GetTimestamp();
        var lease = blob.GetBlobLeaseClient();
        while (true)
        {
            try
            {
                if (await TryAcquireAsync(lease, cancellationToken)) return new BlobLock(lease, time);
                if (time.GetElapsedTime(asked) >= patience) return null;
                await Task.Delay(RetryEvery, time, cancellationToken);
            }
            catch (RequestFailedException e) when (e.ErrorCode == BlobErrorCode.BlobNotFound)
            {
                await CreateAsync(blob, cancellationToken);
            }
        }
    }

    /// <summary>Releases the lock.</summary>
    public async ValueTask DisposeAsync()
    {
        await _released.CancelAsync();
        await _renewing;
        try
        {
            await _lease.ReleaseAsync();
        }
        catch (RequestFailedException)
        {
            // Another process has taken it, or storage is away: then it runs out.
        }
        _released.Dispose();
        _lost.Dispose();
    }

    private static async Task<bool> TryAcquireAsync(BlobLeaseClient lease, CancellationToken cancellationToken)
    {
        try
        {
            await lease.AcquireAsync(Lifetime, cancellationToken: cancellationToken);
            return true;
        }
        catch (RequestFailedException e) when (e.ErrorCode == BlobErrorCode.LeaseAlreadyPresent)
        {
            return false;
        }
    }

    private static async Task CreateAsync(BlobClient blob, CancellationToken cancellationToken)
    {
        try
        {
            var onlyNew = new BlobUploadOptions { Conditions = new BlobRequestConditions { IfNoneMatch = ETag.All } };
            await blob.UploadAsync(BinaryData.Empty, onlyNew, cancellationToken);
        }
        catch (RequestFailedException e) when (e.Status is 409 or 412)
        {
            // Another process created it first, and may hold its lease already.
        }
    }

    private async Task RenewAsync()
    {
        using var timer = new PeriodicTimer(RenewEvery, _time);
        try
        {
            while (await timer.WaitForNextTickAsync(_released.Token))
            {
                try
                {
                    await _lease.RenewAsync(cancellationToken: _released.Token);
                }
                catch (RequestFailedException e) when (e.Status is 409 or 412)
                {
                    // Another process has it, or nobody: an emulator that was killed may have forgotten the lease.
                    if (await TryAcquireAsync(_lease, _released.Token)) continue;
                    await _lost.CancelAsync();
                    return;
                }
                catch (Exception) when (!_released.IsCancellationRequested)
                {
                    // Storage is away. A lease that ran out meanwhile can still be renewed, unless another process has taken it.
                }
            }
        }
        catch (OperationCanceledException)
        {
            // Released.
        }
    }
}
