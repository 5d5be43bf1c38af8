using System.Runtime.InteropServices;
using System.Text;

namespace FunctionsPipeline.FineTuning;

/// <summary>
/// GPU of the computation, through the driver's management library NVML (https://docs.nvidia.com/deploy/nvml-api/), since TorchSharp
/// reports neither the GPU's name nor its memory.
/// </summary>
internal sealed class NvidiaGpu
{
    private const string Library = "libnvidia-ml.so.1";
    private const int NameLength = 96;

    private readonly nint _device;

    private NvidiaGpu(nint device, string name) => (_device, Name) = (device, name);

    /// <summary>Driver's name, such as <c>NVIDIA H100 80GB HBM3</c>.</summary>
    public string Name { get; }

    /// <summary>Memory in use on the GPU by all processes, in bytes; null when NVML does not report it.</summary>
    public long? UsedBytes => nvmlDeviceGetMemoryInfo(_device, out var memory) == 0 ? (long)memory.Used : null;

    /// <summary>Finds the first GPU that this process may use; null without a driver or when NVML fails.</summary>
    public static NvidiaGpu? Find()
    {
        try
        {
            if (nvmlInit_v2() != 0 || nvmlDeviceGetHandleByIndex_v2(FirstVisible(), out var device) != 0) return null;
            var name = new byte[NameLength];
            return nvmlDeviceGetName(device, name, NameLength) == 0
                ? new NvidiaGpu(device, Encoding.ASCII.GetString(name).TrimEnd('\0')) : null;
        }
        catch (Exception e) when (e is DllNotFoundException or EntryPointNotFoundException)
        {
            return null;
        }
    }

    // NVML's indices count all GPUs, CUDA's only those in CUDA_VISIBLE_DEVICES.
    private static uint FirstVisible() =>
        uint.TryParse(Environment.GetEnvironmentVariable("CUDA_VISIBLE_DEVICES")?.Split(',')[0], out var first) ? first : 0;

    [StructLayout(LayoutKind.Sequential)]
    private readonly struct Memory
    {
        public readonly ulong Total, Free, Used;
    }

    [DllImport(Library)]
    private static extern int nvmlInit_v2();

    [DllImport(Library)]
    private static extern int nvmlDeviceGetHandleByIndex_v2(uint index, out nint device);

    [DllImport(Library)]
    private static extern int nvmlDeviceGetName(nint device, byte[] name, uint length);

    [DllImport(Library)]
    private static extern int nvmlDeviceGetMemoryInfo(nint device, out Memory memory);
}
