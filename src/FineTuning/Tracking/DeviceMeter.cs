using System.Runtime.InteropServices;
using System.Text;
using FunctionsPipeline.Phi3Vision.Config;

namespace FunctionsPipeline.FineTuning.Tracking;

/// <summary>Measures the utilization of a device.</summary>
/// <param name="cost">Operation counts of the trained model.</param>
/// <param name="trained">Parts of the model that are trained.</param>
/// <param name="gpu">GPU of the computation; null on a CPU.</param>
/// <param name="half">True for 16-bit weights.</param>
internal sealed class DeviceMeter(ModelCost cost, TrainedParts trained, NvidiaGpu? gpu, bool half)
{
    private readonly double? _peak = gpu is null ? null : GpuPeak.OperationsPerSecond(gpu.Name, half);

    /// <summary>
    /// Computes the model FLOP/s utilization (MFU) of a step, operations / seconds / peak (https://arxiv.org/abs/2204.02311, appendix B),
    /// from 0 to 1; null where the device's peak is unknown.
    /// </summary>
    /// <param name="seconds">Duration of the step, waiting for its data included.</param>
    public double? Utilization(StepSize size, double seconds) => cost.OperationsOfStep(size, trained) / seconds / _peak;

    /// <summary>Memory in use on the GPU, in bytes; null on a CPU.</summary>
    public long? GpuBytes => gpu?.UsedBytes;

    /// <summary>Share of time in which the GPU computed, from 0 to 1; null on a CPU.</summary>
    public double? GpuUtilization => gpu?.Utilization;
}

/// <summary>
/// GPU of the computation, through the driver's management library NVML (https://docs.nvidia.com/deploy/nvml-api/), since TorchSharp
/// reports neither the GPU's name nor its memory nor its compute capability.
/// </summary>
public sealed class NvidiaGpu
{
    // The driver installs this name; the CUDA toolkit has a stub under the name without a version.
    private const string Library = "libnvidia-ml.so.1";
    // NVML_DEVICE_NAME_V2_BUFFER_SIZE.
    private const int NameLength = 96;

    private readonly nint _device;

    private NvidiaGpu(nint device, uint index, string name) => (_device, Index, Name) = (device, index, name);

    /// <summary>NVML's number of the GPU.</summary>
    public uint Index { get; }

    /// <summary>Driver's name, such as <c>NVIDIA H100 80GB HBM3</c>.</summary>
    public string Name { get; }

    /// <summary>Memory in use on the GPU by all processes, in bytes; null when NVML does not report it.</summary>
    public long? UsedBytes => nvmlDeviceGetMemoryInfo(_device, out var memory) == 0 ? (long)memory.Used : null;

    /// <summary>Memory that no process uses, in bytes; null when NVML does not report it.</summary>
    public long? FreeBytes => nvmlDeviceGetMemoryInfo(_device, out var memory) == 0 ? (long)memory.Free : null;

    /// <summary>
    /// Share of the driver's last sample period, a second at most, in which a kernel of any process ran, from 0 to 1; null when NVML does
    /// not report it.
    /// </summary>
    public double? Utilization => nvmlDeviceGetUtilizationRates(_device, out var rates) == 0 ? rates.Gpu / 100.0 : null;

    /// <summary>True when the GPU has instructions for products of bf16, from compute capability 8.0 on; false when unknown.</summary>
    public bool HasBf16 => nvmlDeviceGetCudaComputeCapability(_device, out var major, out _) == 0 && major >= 8;

    /// <summary>Finds the first GPU that this process may use; null without a driver or when NVML fails.</summary>
    public static NvidiaGpu? Find()
    {
        try
        {
            var index = FirstVisible();
            if (nvmlInit_v2() != 0 || nvmlDeviceGetHandleByIndex_v2(index, out var device) != 0) return null;
            var name = new byte[NameLength];
            return nvmlDeviceGetName(device, name, NameLength) == 0
                ? new NvidiaGpu(device, index, Encoding.ASCII.GetString(name).TrimEnd('\0')) : null;
        }
        catch (Exception e) when (e is DllNotFoundException or EntryPointNotFoundException)
        {
            return null;
        }
    }

    // NVML's indices count all GPUs, CUDA's only those in CUDA_VISIBLE_DEVICES.
    // An entry that is no index, such as a UUID, counts as 0.
    private static uint FirstVisible() =>
        uint.TryParse(Environment.GetEnvironmentVariable("CUDA_VISIBLE_DEVICES")?.Split(',')[0], out var first) ? first : 0;

    // nvmlMemory_t, in bytes.
    [StructLayout(LayoutKind.Sequential)]
    private readonly struct Memory
    {
        public readonly ulong Total, Free, Used;
    }

    // nvmlUtilization_t, in percent.
    [StructLayout(LayoutKind.Sequential)]
    private readonly struct Rates
    {
        public readonly uint Gpu, Memory;
    }

    [DllImport(Library)]
    private static extern int nvmlInit_v2();

    [DllImport(Library)]
    private static extern int nvmlDeviceGetHandleByIndex_v2(uint index, out nint device);

    [DllImport(Library)]
    private static extern int nvmlDeviceGetName(nint device, byte[] name, uint length);

    [DllImport(Library)]
    private static extern int nvmlDeviceGetCudaComputeCapability(nint device, out int major, out int minor);

    [DllImport(Library)]
    private static extern int nvmlDeviceGetMemoryInfo(nint device, out Memory memory);

    [DllImport(Library)]
    private static extern int nvmlDeviceGetUtilizationRates(nint device, out Rates rates);
}

/// <summary>Peak speeds of GPUs from their data sheets, for dense matrix products, in operations per second.</summary>
internal static class GpuPeak
{
    // Driver's name of the GPU, 16-bit (tensor cores) and float32 (without them, PyTorch's default), in TFLOP/s. The first entry that
    // a name begins with applies, so that longer names come first. Half the figure where a sheet lists only sparse ones.
    private static readonly (string Name, double Half, double Single)[] Peaks =
    [
        ("NVIDIA H200 NVL", 835.5, 60), // https://www.nvidia.com/en-us/data-center/h200/
        ("NVIDIA H200", 989.5, 67),
        ("NVIDIA H100 NVL", 835.5, 60), // https://www.nvidia.com/en-us/data-center/h100/
        ("NVIDIA H100 PCIe", 756, 51),
        ("NVIDIA H100", 989.5, 67),
        ("NVIDIA A100", 312, 19.5), // https://www.nvidia.com/en-us/data-center/a100/
        ("NVIDIA A10G", 70, 35), // https://d1.awsstatic.com/product-marketing/ec2/NVIDIA_AWS_A10G_DataSheet_FINAL_02_17_2022.pdf
        ("NVIDIA A10", 125, 31.2), // https://www.nvidia.com/en-us/data-center/products/a10-gpu/
        ("NVIDIA L40S", 362, 91.6), // https://www.nvidia.com/en-us/data-center/l40s/
        ("NVIDIA L4", 121, 30.3), // https://www.nvidia.com/en-us/data-center/l4/
        ("Tesla T4", 65, 8.1), // https://www.nvidia.com/en-us/data-center/tesla-t4/
    ];

    /// <summary>Returns the peak of a GPU; null when the table lacks the GPU.</summary>
    /// <param name="name">Driver's name, such as <c>NVIDIA H100 80GB HBM3</c>.</param>
    /// <param name="half">True for 16-bit weights, false for float32.</param>
    public static double? OperationsPerSecond(string name, bool half)
    {
        foreach (var peak in Peaks)
        {
            // A space or a hyphen follows: "NVIDIA A10" must not match "NVIDIA A1000".
            if (name != peak.Name
                && !name.StartsWith($"{peak.Name} ", StringComparison.Ordinal)
                && !name.StartsWith($"{peak.Name}-", StringComparison.Ordinal)) continue;
            return 1e12 * (half ? peak.Half : peak.Single);
        }
        return null;
    }
}
