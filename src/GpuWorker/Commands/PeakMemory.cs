using System.Globalization;

namespace FunctionsPipeline.GpuWorker.Commands;

/// <summary>
/// The most resident memory that the process has had since a moment, as Linux counts it (<c>VmHWM</c> of <c>/proc/self/status</c>).
/// </summary>
internal sealed class PeakMemory
{
    private const string Status = "/proc/self/status";
    private readonly long _before;

    private PeakMemory(long before) => _before = before;

    /// <summary>Begins a measurement; null where there is none.</summary>
    public static PeakMemory? Begin()
    {
        try
        {
            // "5" sets the peak back to what is resident now.
            File.WriteAllText("/proc/self/clear_refs", "5");
            return Read("VmRSS:") is { } before ? new PeakMemory(before) : null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    /// <summary>Bytes at the peak above those at the beginning.</summary>
    public long Growth => Read("VmHWM:")!.Value - _before;

    private static long? Read(string key)
    {
        var line = File.ReadLines(Status).FirstOrDefault(line => line.StartsWith(key, StringComparison.Ordinal));
        if (line is null) return null;
        return 1024 * long.Parse(line.AsSpan(key.Length).Trim().TrimEnd("kB").TrimEnd(), CultureInfo.InvariantCulture);
    }
}
