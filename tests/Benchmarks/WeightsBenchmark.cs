using System.Globalization;
using FunctionsPipeline.GpuWorker.Commands;
using FunctionsPipeline.Phi3Vision.Config;
using FunctionsPipeline.Phi3Vision.Text;
using FunctionsPipeline.Phi3Vision.Weights;
using static TorchSharp.torch;

namespace FunctionsPipeline.Benchmarks;

/// <summary>Measures loading a checkpoint.</summary>
internal sealed class WeightsBenchmark : IBenchmark
{
    private static readonly double[] NoScaling = [.. Enumerable.Repeat(1.0, 32)];

    private static readonly Phi3VisionConfig Config = Presets.Phi3Vision128K with
    {
        HiddenSize = 1024,
        IntermediateSize = 2816,
        NumHiddenLayers = 12,
        NumAttentionHeads = 16,
        NumKeyValueHeads = 16,
        RopeScaling = new RopeScaling { ShortFactor = NoScaling, LongFactor = NoScaling },
        Clip = new ClipConfig { HiddenSize = 512, IntermediateSize = 2048, NumHiddenLayers = 8, NumAttentionHeads = 8 },
    };

    /// <inheritdoc/>
    public string Name => "weights";

    /// <inheritdoc/>
    public string Title => "Weights";

    /// <inheritdoc/>
    public string Description => "loading a checkpoint of about 500 MB: rate and peak memory";

    /// <inheritdoc/>
    public Section Measure(Meter meter)
    {
        using var scratch = new ScratchFolder(Name);
        var bytes = Write(scratch.Path, Config);
        // The peak first, before the process has freed memory that would hide it, but with torch and the code in memory.
        LoadSmall();
        var peak = PeakOfLoading(scratch.Path);
        var timing = meter.Measure("loading a checkpoint", () => ModelFolder.LoadModel(scratch.Path, CPU, ScalarType.BFloat16).Dispose());
        var table = new Table("work", "median ms", "fastest ms", "rounds", "GB/s", "peak memory");
        table.Add([
            "load to the CPU", .. timing.Cells, Number(bytes / timing.Median / 1e6),
            peak is { } growth ? $"{Number((double)growth / bytes)} × its size" : "not measured",
        ]);
        return new Section(
            $"A checkpoint of {Number(bytes / 1e6)} MB of bf16 in one file, checked and loaded as bf16; the file is in the " +
            "system's cache. The peak is that of the first load: resident memory above what the process had before.",
            table);
    }

    private static long? PeakOfLoading(string folder)
    {
        GC.Collect();
        var peak = PeakMemory.Begin();
        using var model = ModelFolder.LoadModel(folder, CPU, ScalarType.BFloat16);
        return peak?.Growth;
    }

    private static void LoadSmall()
    {
        using var scratch = new ScratchFolder("small");
        Write(scratch.Path, Presets.Tiny(SpecialTokens.SmallestVocabulary));
        ModelFolder.LoadModel(scratch.Path, CPU, ScalarType.BFloat16).Dispose();
    }

    /// <returns>Bytes of the tensors.</returns>
    private static long Write(string folder, Phi3VisionConfig config)
    {
        var checkpoint = new RandomCheckpoint(config, seed: 1);
        config.Save(folder);
        checkpoint.Write(folder);
        return checkpoint.Bytes;
    }

    private static string Number(double value) => value.ToString(value < 10 ? "0.00" : "0", CultureInfo.InvariantCulture);
}
