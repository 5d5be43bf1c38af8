using FunctionsPipeline.FineTuning.Tracking;
using FunctionsPipeline.Phi3Vision.Config;

namespace FunctionsPipeline.FineTuning.Tests.Tracking;

public sealed class DeviceMeterTests
{
    [Theory]
    [InlineData("NVIDIA H100 80GB HBM3", true, 989.5)]
    [InlineData("NVIDIA H100 NVL", true, 835.5)]
    [InlineData("NVIDIA H200", true, 989.5)]
    [InlineData("NVIDIA A100-SXM4-80GB", true, 312.0)]
    [InlineData("NVIDIA A10G", true, 70.0)]
    [InlineData("NVIDIA A10", false, 31.2)]
    [InlineData("NVIDIA L40S", true, 362.0)]
    [InlineData("NVIDIA L4", true, 121.0)]
    [InlineData("Tesla T4", true, 65.0)]
    [InlineData("NVIDIA A1000", true, null)]
    [InlineData("NVIDIA GeForce RTX 4090", true, null)]
    public void A_GPU_is_known_by_its_name(string name, bool half, double? expected) =>
        Assert.Equal(expected * 1e12, GpuPeak.OperationsPerSecond(name, half));

    [Fact]
    public void On_a_CPU_nothing_is_claimed_of_a_GPU()
    {
        var meter = new DeviceMeter(new ModelCost(SmallModel.Config), new TrainedParts(true, true, true), gpu: null, half: false);
        Assert.Null(meter.Utilization(StepSize.Sample(320, 313, 2, 7), 1));
        Assert.Null(meter.GpuBytes);
        Assert.Null(meter.GpuUtilization);
    }
}
