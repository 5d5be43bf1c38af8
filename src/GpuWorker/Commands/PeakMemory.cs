using System.Globalization;

namespace FunctionsPipeline.GpuWorker.Commands;

/// <summary>
/// Measures the peak of the process's resident memory since a point in time, as Linux counts it (<c>VmHWM</c> of <c>/proc/self/status</c>).
/// </summary>
internal sealed class PeakMemory
{
    private const string Status = "/proc/self/status";
    private readonly long _before;

    private PeakMemory(long before) => _before = before;

    /// <summary>Starts a measurement; null where <c>/proc</c> is missing or not writable.</summary>
    public static PeakMemory? Begin()
    {
        try
        {
            // Writing "5" resets VmHWM to the current resident memory.
            File.WriteAllText("/proc/self/clear_refs", "5");
            return Read("VmRSS:") is { } before ? new PeakMemory(before) : null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    /// <summary>Bytes by which the peak exceeds the memory at the start.</summary>
    public long Growth => Read("VmHWM:")!.Value - _before;

    private static long? Read(string key)
    {
        var line = File.ReadLines(Status).FirstOrDefault(line => line.StartsWith(key, StringComparison.Ordinal));
        if (line is null) return null;
        return 1024 * long.Parse(line.AsSpan(key.Length).Trim().TrimEnd("kB").TrimEnd(), CultureInfo.InvariantCulture);
    }
}
