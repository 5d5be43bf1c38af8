using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;
using System.Threading.RateLimiting;
using FunctionsPipeline.Contracts;
using FunctionsPipeline.Datasets.Fetching;
using FunctionsPipeline.Datasets.Planning;
using FunctionsPipeline.Datasets.Rows;
using FunctionsPipeline.Datasets.Storage;
using FunctionsPipeline.Images;

namespace FunctionsPipeline.Datasets;

/// <summary>Stores the images of one unit in blob storage and determines the status of each of its rows.</summary>
internal sealed class UnitIngestion(IngestPlan plan, IngestUnit unit, ImageStore images, DatasetImages source, UnitProgress progress,
    IngestionOptions options)
{
    private readonly SplitRule _splits = SplitRule.Of(plan);

    /// <summary>Ingests a batch of rows concurrently; returns their row statuses in the order of the rows.</summary>
    public async Task<IReadOnlyList<ManifestRow>> IngestAsync(IReadOnlyList<DatasetRow> rows, CancellationToken cancellationToken)
    {
        var statuses = new ManifestRow[rows.Count];
        await Parallel.ForAsync(0, rows.Count,
            new ParallelOptions { MaxDegreeOfParallelism = options.Concurrency, CancellationToken = cancellationToken },
            async (i, token) =>
            {
                progress.Add(statuses[i] = await IngestAsync(rows[i], token));
                PipelineMetrics.CountRow(statuses[i]);
            });
        return statuses;
    }

    private async Task<ManifestRow> IngestAsync(DatasetRow row, CancellationToken cancellationToken)
    {
        var status = new ManifestRow
        {
            Row = row.Row,
            SourceSplit = unit.Split,
            Split = _splits.SplitOf(unit.Split, row.Product, image: []),
            State = RowState.Rejected,
            ImageUrl = row.ImageUrl,
            Product = row.Product,
            Title = row.Title,
            Category = row.Category,
            // JSON cannot represent NaN and infinity.
            Price = row.Price is { } number && double.IsFinite(number) ? number : null,
            Currency = row.Currency,
            Fields = row.Fields,
        };
        if (row.Fault is { } fault) return status with { Reason = row.FaultReason, Detail = fault };
        if (row.Price is { } price && (!double.IsFinite(price) || price < 0))
            return status with { Reason = Rejection.BadPrice, Detail = $"{row.PriceText ?? $"{price}"} is no price" };
        if (row is { Title: null, Category: null, Price: null, Fields: null })
        {
            var fields = string.Join(", ", plan.Columns.Definitions.Select(field => field.Name));
            return status with { Reason = Rejection.NoLabel, Detail = $"the row has no value of {fields}" };
        }
        var stored = new List<RowImage>();
        var faults = new List<(int Number, UnreadableImageException Error)>();
        (ReadOnlyMemory<byte>? Bytes, string? Url)[] sources = [(row.ImageBytes, row.ImageUrl), .. row.MoreImages];
        for (var i = 0; i < sources.Length; i++)
        {
            try
            {
                var image = await StoreAsync(sources[i].Bytes, sources[i].Url, cancellationToken);
                if (stored.Count == 0) status = status with { PerceptualHash = image.PerceptualHash };
                // An image that a list repeats adds nothing.
                if (stored.All(known => known.Sha256 != image.Sha256))
                    stored.Add(new RowImage(image.Sha256, image.Bytes, image.Width, image.Height, sources[i].Url));
            }
            catch (UnreadableImageException e)
            {
                faults.Add((i + 1, e));
            }
        }
        if (stored.Count == 0) return status with { Reason = faults[0].Error.Reason, Detail = faults[0].Error.Detail };
        var first = stored[0];
        return status with
        {
            State = RowState.Stored,
            Split = _splits.SplitOf(unit.Split, row.Product, Convert.FromHexString(first.Sha256)),
            Detail = faults.Count == 0 ? null
                : string.Join("; ", faults.Select(fault => $"image {fault.Number}: {fault.Error.Reason}: {fault.Error.Detail}")),
            Sha256 = first.Sha256,
            Bytes = first.Bytes,
            Width = first.Width,
            Height = first.Height,
            ImageUrl = first.Url,
            MoreImages = stored.Count == 1 ? null : stored[1..],
        };
    }

    private async Task<StoredImage> StoreAsync(ReadOnlyMemory<byte>? bytes, string? url, CancellationToken cancellationToken)
    {
        if (bytes is { } embedded) return await images.AddAsync(embedded, cancellationToken);
        var key = url is null ? null : source.KeyOf(url);
        if (key is not null && await images.FindAsync(key, cancellationToken) is { } there) return there;
        var image = await images.AddAsync(await source.FetchAsync(url, cancellationToken), cancellationToken);
        await images.RememberAsync(key!, image, cancellationToken);
        return image;
    }
}

/// <summary>
/// Assigns rows to splits. A dataset's own validation and test splits are used as such; a missing one is taken from the other splits by a
/// hash of the product, so that a product keeps its split in other views, with more rows and in another order.
/// </summary>
internal sealed class SplitRule
{
    private readonly HashSet<string> _own;

    /// <param name="splits">The dataset's own splits that have rows.</param>
    public SplitRule(IEnumerable<string> splits, DatasetRequest request)
    {
        var names = splits.ToList();
        _own = [.. names.Where(name => name is Splits.Validation or Splits.Test)];
        // A dataset with only a validation or test split has no other rows to train on, so that those are divided.
        if (_own.Count == names.Count) _own.Clear();
        Validation = _own.Contains(Splits.Validation) ? 0 : request.ValidationFraction;
        Test = _own.Contains(Splits.Test) ? 0 : request.TestFraction;
    }

    /// <summary>Share of the other splits' products that are used for validation; 0 when the dataset has a validation split.</summary>
    public double Validation { get; }

    /// <summary>Share of the other splits' products that are used for the test; 0 when the dataset has a test split.</summary>
    public double Test { get; }

    /// <summary>Creates the rule of a dataset.</summary>
    public static SplitRule Of(IngestPlan dataset) =>
        new(dataset.Splits.Where(split => split.Value.Taken > 0).Select(split => split.Key), dataset.Request);

    /// <summary>Assigns a row to one of <see cref="Splits"/>.</summary>
    /// <param name="sourceSplit">The dataset's own split.</param>
    /// <param name="product">Value of the product column; when null, the image identifies the product.</param>
    /// <param name="image">SHA-256 of the image's bytes; empty where the row has no usable image.</param>
    public string SplitOf(string sourceSplit, string? product, ReadOnlySpan<byte> image)
    {
        if (_own.Contains(sourceSplit)) return sourceSplit;
        if (product is null && image.IsEmpty) return Splits.Train;
        var hash = product is null ? image : SHA256.HashData(Encoding.UTF8.GetBytes(product));
        // The first 64 bits of the hash are uniform in [0, 2^64): validation is the lowest interval, test the next one.
        var place = BinaryPrimitives.ReadUInt64BigEndian(hash);
        if (place < Validation * ulong.MaxValue) return Splits.Validation;
        return place < (Validation + Test) * ulong.MaxValue ? Splits.Test : Splits.Train;
    }
}

/// <summary>
/// Reports the progress of a unit every two seconds, so that an ingestion shows progress before its first unit is complete.
/// </summary>
internal sealed class UnitProgress : IAsyncDisposable
{
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(2);

    private readonly CancellationTokenSource _stop;
    private readonly PeriodicTimer _timer;
    private readonly Lock _gate = new();
    private readonly Task _reporting;
    private RowCounts _counts = new();

    /// <param name="report">Reports the row counts so far; called only when they have grown.</param>
    /// <param name="cancellationToken">Stops the reports.</param>
    public UnitProgress(Func<RowCounts, CancellationToken, Task> report, TimeProvider time, CancellationToken cancellationToken)
    {
        _stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        _timer = new PeriodicTimer(Interval, time);
        _reporting = ReportAsync(report);
    }

    /// <summary>Counts a row whose row status is known.</summary>
    public void Add(ManifestRow row)
    {
        lock (_gate) _counts += ManifestStore.Count(row);
    }

    /// <summary>Stops the reports; returns when no more will be sent.</summary>
    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await _reporting.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        _timer.Dispose();
        _stop.Dispose();
    }

    private async Task ReportAsync(Func<RowCounts, CancellationToken, Task> report)
    {
        var reported = 0L;
        while (await _timer.WaitForNextTickAsync(_stop.Token))
        {
            RowCounts now;
            lock (_gate) now = _counts;
            if (now.Rows > reported) await report(now, _stop.Token);
            reported = now.Rows;
        }
    }
}

/// <summary>Takes turns from a semaphore that are given back by disposal.</summary>
internal static class Turns
{
    public static async Task<IDisposable> TakeAsync(this SemaphoreSlim semaphore, CancellationToken cancellationToken)
    {
        await semaphore.WaitAsync(cancellationToken);
        return new Turn(semaphore);
    }

    private sealed class Turn(SemaphoreSlim semaphore) : IDisposable
    {
        public void Dispose() => semaphore.Release();
    }
}

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
