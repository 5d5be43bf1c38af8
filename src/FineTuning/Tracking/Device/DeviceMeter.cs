using FunctionsPipeline.Phi3Vision;

namespace FunctionsPipeline.FineTuning;

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
}
