using System.Globalization;
using FunctionsPipeline.FineTuning.Tracking;
using FunctionsPipeline.Phi3Vision.Weights;
using TorchSharp;

namespace FunctionsPipeline.GpuWorker.Serving;

/// <summary>Memory of the device that a model is loaded to.</summary>
internal static class DeviceMemory
{
    // Answers need memory besides the weights.
    private const double Margin = 1.2;

    private const string MemoryInfo = "/proc/meminfo";

    /// <summary>True when the device has memory left for the model in a folder, or when that is not known.</summary>
    /// <exception cref="InvalidDataException">The model does not fit its own configuration.</exception>
    public static bool Holds(string folder, ServingOptions options)
    {
        var memory = ModelSummary.Read(folder).Memory;
        var needed = options.Precision == torch.ScalarType.Float32 ? memory.WeightsFp32 : memory.WeightsBf16;
        var left = options.Device.type == DeviceType.CUDA ? NvidiaGpu.Find()?.FreeBytes : HostBytes();
        return left is null || needed * Margin < left;
    }

    /// <summary>True for the failure of an allocation.</summary>
    public static bool IsExhausted(Exception exception) =>
        exception is OutOfMemoryException || exception.Message.Contains("out of memory", StringComparison.OrdinalIgnoreCase);

    /// <summary>Bytes that this process may still take: what the machine has left, or less in a container with a limit.</summary>
    private static long HostBytes()
    {
        var allowed = GC.GetGCMemoryInfo().TotalAvailableMemoryBytes - Environment.WorkingSet;
        if (!File.Exists(MemoryInfo)) return allowed;
        // MemAvailable:    1234567 kB
        var line = File.ReadLines(MemoryInfo).First(line => line.StartsWith("MemAvailable:", StringComparison.Ordinal));
        var kibibytes = line.Split(' ', StringSplitOptions.RemoveEmptyEntries)[1];
        return Math.Min(allowed, 1024 * long.Parse(kibibytes, CultureInfo.InvariantCulture));
    }
}
