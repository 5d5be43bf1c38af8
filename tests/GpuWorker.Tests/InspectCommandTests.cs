using System.Globalization;
using System.Text.RegularExpressions;
using FunctionsPipeline.Phi3Vision.Config;
using FunctionsPipeline.Phi3Vision.Weights;

namespace FunctionsPipeline.GpuWorker.Tests;

[Collection(nameof(ConsoleCollection))]
public sealed class InspectCommandTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("inspect-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public async Task A_folder_without_tokenizer_is_described_by_its_parts_and_needs()
    {
        Write(Presets.Tiny(400));
        var (code, output, error) = await ConsoleRun.RunAsync("inspect", _folder);
        Assert.True(code == 0, error);
        Assert.Contains("no tokenizer: without tokenizer.json the model loads, but cannot be trained or asked anything", output);
        foreach (var part in new[] { "vision tower", "projector", "embeddings", "decoder layers", "final norm", "lm_head" })
            Assert.Matches($@"(?m)^\s+{part}\s+[\d,]+\s*$", output);
        Assert.Contains("embeddings              51,200", output);
        Assert.Contains("BF16", output);
        Assert.Contains("for weights and gradients", output);
        Assert.Contains("for 1000 tokens", output);
        Assert.DoesNotContain("loaded", output);
    }

    [Fact]
    public async Task Weights_that_do_not_fit_are_all_listed()
    {
        Write(Presets.Tiny(400));
        (Presets.Tiny(400) with { IntermediateSize = 300 }).Save(_folder);
        var (code, _, error) = await ConsoleRun.RunAsync("inspect", _folder);
        Assert.Equal(1, code);
        Assert.Contains("model.layers.0.mlp.down_proj.weight: is [128, 256], but must be [128, 300]", error);
        Assert.Contains("model.layers.1.mlp.gate_up_proj.weight: is [512, 128], but must be [600, 128]", error);
    }

    [PeakMemoryTheory]
    [InlineData("bf16")]
    [InlineData("fp32")]
    public async Task Loading_takes_hardly_more_memory_than_the_model(string type)
    {
        // 234 MB in bf16, in two files.
        var config = Presets.Tiny(32_000) with { HiddenSize = 1024, IntermediateSize = 2816, NumHiddenLayers = 4, RopeScaling = null };
        Write(config, shardBytes: 150_000_000);
        var output = await WorkerProcess.RunAsync("inspect", _folder, "--load", type, "--device", "cpu");
        Assert.Contains("in 2 files", output);
        var ratio = Regex.Match(output, @"(\d\.\d{3}) of the model's size");
        Assert.True(ratio.Success, output);
        Assert.InRange(double.Parse(ratio.Groups[1].Value, CultureInfo.InvariantCulture), 0.95, 1.15);
    }

    private void Write(Phi3VisionConfig config, long shardBytes = RandomCheckpoint.MaxShardBytes)
    {
        config.Save(_folder);
        new RandomCheckpoint(config, seed: 1, shardBytes).Write(_folder);
    }

    private sealed class PeakMemoryTheoryAttribute : TheoryAttribute
    {
        public PeakMemoryTheoryAttribute()
        {
            if (!File.Exists("/proc/self/clear_refs")) Skip = "skipped: this system does not tell the peak of memory";
        }
    }
}
