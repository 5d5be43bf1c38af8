using FunctionsPipeline.Phi3Vision;

namespace FunctionsPipeline.FineTuning;

/// <summary>How well a device is used.</summary>
/// <param name="cost">The arithmetic of the model that is trained.</param>
/// <param name="trained">What of it is trained.</param>
/// <param name="gpu">Null on a CPU.</param>
/// <param name="half">Whether the weights have 16 bits.</param>
internal sealed class DeviceMeter(ModelCost cost, TrainedParts trained, NvidiaGpu? gpu, bool half)
{
    private readonly double? _peak = gpu is null ? null : GpuPeak.OperationsPerSecond(gpu.Name, half);

    /// <summary>
    /// Model FLOP/s utilization of a step (https://arxiv.org/abs/2204.02311, appendix B), from 0 to 1; null where the device's peak is not known.
    /// </summary>
    /// <param name="seconds">That the step took, waiting for its data included.</param>
    public double? Utilization(StepSize size, double seconds) => cost.OperationsOfStep(size, trained) / seconds / _peak;

    /// <summary>Memory in use on the GPU, in bytes; null on a CPU.</summary>
    public long? GpuBytes => gpu?.UsedBytes;
}
