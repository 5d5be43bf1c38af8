namespace SixLabors.ImageSharp.Memory;

/// <summary>Limits of an allocator.</summary>
public struct MemoryAllocatorOptions
{
    /// <summary>The largest buffer, in megabytes; null: 4096.</summary>
    public int? AllocationLimitMegabytes { get; set; }
}

/// <summary>A buffer was asked for that is over the allocator's limit.</summary>
public class InvalidMemoryOperationException : InvalidOperationException
{
    public InvalidMemoryOperationException() { }

    public InvalidMemoryOperationException(string message) : base(message) { }
}

/// <summary>What pixel buffers come from; it bounds their size.</summary>
public abstract class MemoryAllocator
{
    private const long DefaultLimit = 4096L << 20;

    public static MemoryAllocator Default { get; } = Create();

    internal abstract long Limit { get; }

    public static MemoryAllocator Create() => new LimitedAllocator(DefaultLimit);

    public static MemoryAllocator Create(MemoryAllocatorOptions options) =>
        new LimitedAllocator(options.AllocationLimitMegabytes is { } megabytes ? (long)megabytes << 20 : DefaultLimit);

    internal unsafe T[] Allocate<T>(long width, long height)
        where T : unmanaged
    {
        if (width < 0 || height < 0 || width * height * sizeof(T) > Math.Min(Limit, Array.MaxLength))
            throw new InvalidMemoryOperationException(
                $"A buffer of {width} x {height} pixels of {sizeof(T)} bytes is over the allocation limit of {Limit} bytes.");
        return GC.AllocateUninitializedArray<T>((int)(width * height));
    }

    private sealed class LimitedAllocator(long limit) : MemoryAllocator
    {
        internal override long Limit => limit;
    }
}
