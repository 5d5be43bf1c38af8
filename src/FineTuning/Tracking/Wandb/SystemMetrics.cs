using System.Diagnostics;
using System.Globalization;

namespace FunctionsPipeline.FineTuning.Tracking.Wandb;

/// <summary>
/// Measures machine and process, and names the figures as wandb does
/// (https://github.com/wandb/wandb/blob/main/core/internal/monitor/system.go and
/// https://github.com/wandb/wandb/blob/main/xpu/src/gpu_nvidia.rs). A figure that the platform does not tell is left out.
/// </summary>
/// <param name="gpu">GPU of the machine; null without one.</param>
internal sealed class SystemMetrics(NvidiaGpu? gpu, TimeProvider time)
{
    private const double Megabyte = 1 << 20;

    private long _measuredAt = time.GetTimestamp();
    private TimeSpan _processorTime = Environment.CpuUsage.TotalTime;

    /// <summary>Measures now; the processor's figure is that of the time since the last call, or since construction.</summary>
    public IReadOnlyDictionary<string, double> Measure()
    {
        var figures = new Dictionary<string, double>();
        var (now, processorTime) = (time.GetTimestamp(), Environment.CpuUsage.TotalTime);
        var elapsed = time.GetElapsedTime(_measuredAt, now);
        if (elapsed > TimeSpan.Zero)
            figures["system.cpu"] = 100 * (processorTime - _processorTime) / elapsed / Environment.ProcessorCount;
        (_measuredAt, _processorTime) = (now, processorTime);

        using var process = Process.GetCurrentProcess();
        figures["system.proc.cpu.threads"] = process.Threads.Count;
        figures["system.proc.memory.rssMB"] = Environment.WorkingSet / Megabyte;
        if (Memory() is var (used, total))
        {
            figures["system.memory_percent"] = 100.0 * used / total;
            figures["system.proc.memory.availableMB"] = (total - used) / Megabyte;
            figures["system.proc.memory.percent"] = 100.0 * Environment.WorkingSet / total;
        }
        if (gpu?.Utilization is { } utilization) figures[$"system.gpu.{gpu.Index}.gpu"] = 100 * utilization;
        if (gpu?.UsedBytes is { } bytes) figures[$"system.gpu.{gpu.Index}.memoryAllocatedBytes"] = bytes;
        if (gpu is { UsedBytes: { } taken, FreeBytes: { } free })
            figures[$"system.gpu.{gpu.Index}.memoryAllocated"] = 100.0 * taken / (taken + free);
        return figures;
    }

    /// <summary>Memory in use and in total, in bytes: the container's where it has a limit, else the machine's.</summary>
    private static (long Used, long Total)? Memory()
    {
        // https://docs.kernel.org/admin-guide/cgroup-v2.html: "max" without a limit. The root has no such files.
        const string group = "/sys/fs/cgroup/memory";
        if (Number($"{group}.max") is { } limit && Number($"{group}.current") is { } current) return (current, limit);
        // https://man7.org/linux/man-pages/man5/proc_meminfo.5.html, in kB.
        const string file = "/proc/meminfo";
        if (!File.Exists(file)) return null;
        var lines = File.ReadLines(file).Select(line => line.Split((char[])[':', ' '], StringSplitOptions.RemoveEmptyEntries))
            .ToDictionary(words => words[0], words => long.Parse(words[1], CultureInfo.InvariantCulture), StringComparer.Ordinal);
        var total = lines["MemTotal"] << 10;
        return (total - (lines["MemAvailable"] << 10), total);

        static long? Number(string path) =>
            File.Exists(path) && long.TryParse(File.ReadAllText(path), CultureInfo.InvariantCulture, out var number) ? number : null;
    }
}
