namespace FunctionsPipeline.FineTuning;

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
            if (name == peak.Name || name.StartsWith($"{peak.Name} ", StringComparison.Ordinal) || name.StartsWith($"{peak.Name}-", StringComparison.Ordinal))
                return 1e12 * (half ? peak.Half : peak.Single);
        return null;
    }
}
