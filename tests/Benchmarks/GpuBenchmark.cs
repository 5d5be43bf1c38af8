using System.Globalization;
using FunctionsPipeline.Contracts;
using FunctionsPipeline.FineTuning.Data;
using FunctionsPipeline.FineTuning.Tracking;
using FunctionsPipeline.Phi3Vision.Config;
using FunctionsPipeline.Phi3Vision.Images;
using FunctionsPipeline.Phi3Vision.Model;
using FunctionsPipeline.Phi3Vision.Weights;
using static FunctionsPipeline.Benchmarks.Cell;
using static TorchSharp.torch;

namespace FunctionsPipeline.Benchmarks;

/// <summary>The published model's size on a GPU: how near generation and prompts come to what the GPU can do.</summary>
internal sealed class GpuBenchmark : IBenchmark
{
    private const int NumCrops = 16;
    private const int NewTokens = 64;
    private const int TextTokens = 64;
    private const int LoraRank = 16;

    /// <inheritdoc/>
    public string Name => "gpu";

    /// <inheritdoc/>
    public string Title => "On the GPU";

    /// <inheritdoc/>
    public string Description =>
        "where there is a GPU: generation, prompts and LoRA steps at the published size in bf16 with random weights "
        + "(8.3 GB of disk and of GPU memory)";

    /// <inheritdoc/>
    public Section Measure(Meter meter)
    {
        if (!cuda.is_available()) throw new NotMeasuredException("no GPU");
        var config = Presets.Phi3Vision128K;
        using var model = Load(config);
        var limits = GpuLimits.Measure(meter);
        var generator = new TextGenerator(model);
        var cost = new ModelCost(config);
        var table = new Table("work", "median ms", "fastest ms", "rounds", "rate", "share of the limit");

        using var picture = Photograph.Draw(1344, 1344, seed: 4);
        var image = new ImageProcessor(NumCrops).Process(picture);
        var text = Text(config);
        using (var prompt = new BenchmarkPrompt(text, null, CUDA))
        {
            var first = Time("prefill of a short prompt and 1 token", prompt, 1);
            var all = Time($"the same and {NewTokens} more tokens", prompt, NewTokens + 1);
            var token = (all.Median - first.Median) / NewTokens;
            var bytes = cost.BytesOfToken(TextTokens + NewTokens / 2.0);
            table.Add([
                $"generate {NewTokens} tokens at batch 1", Number(all.Median - first.Median), Number(all.Minimum - first.Minimum),
                $"{all.Rounds}", $"{Number(1000 / token)} tokens/s", Share(bytes / token, limits.BytesPerMillisecond),
            ]);
        }
        int[] imageRow = [text[0], .. Enumerable.Repeat(-1, image.Tokens), .. text];
        using (var prompt = new BenchmarkPrompt(imageRow, image, CUDA))
        {
            var prefill = Time("prefill of an image prompt on the GPU", prompt, 1);
            var operations = cost.OperationsOfPrompt(imageRow.Length, image.Tokens, image.Views);
            table.Add([
                $"prefill of an image prompt, {imageRow.Length} tokens", .. prefill.Cells,
                $"{Number(imageRow.Length / prefill.Median)} k tokens/s",
                Share(operations / prefill.Median, limits.OperationsPerMillisecond),
            ]);
        }
        foreach (var crops in new[] { 1, NumCrops }) table.Add(Lora(crops));
        return new Section(
            $"The published dimensions, bf16, random weights, batch 1, num_crops {NumCrops} ({image.Tokens} image tokens). Limits, " +
            $"measured in this run: a copy on the device moves {Number(limits.BytesPerMillisecond / 1e6)} GB/s, an 8192² bf16 matrix " +
            $"product does {Number(limits.OperationsPerMillisecond / 1e9)} TFLOP/s. Generation's share is that of the bandwidth, for " +
            "the bytes that a token must read (decoder, head, keys and values); prefill's and training's that of the operations, for " +
            $"the matrix products that they need. Training: LoRA of rank {LoraRank} on all linear layers of the decoder, the tower " +
            "frozen but computed; memory is that in use on the GPU.",
            table);

        string[] Lora(int crops)
        {
            var processed = new ImageProcessor(crops).Process(picture);
            int[] prompt = [text[0], .. Enumerable.Repeat(-1, processed.Tokens), .. text];
            var settings = new TrainingSettings { Method = FineTuningMethod.Lora, Lora = new LoraSettings { Rank = LoraRank } };
            model.train();
            using var step = new FineTuningStep(model, [(new TrainingRow([.. prompt, .. text], prompt.Length), processed)], settings);
            var timing = meter.Measure($"LoRA step at {crops} crop{(crops == 1 ? "" : "s")} on the GPU", () =>
            {
                step.Take();
                cuda.synchronize();
            });
            model.eval();
            var memory = NvidiaGpu.Find()?.UsedBytes is { } bytes ? $", {Number(bytes / 1e9)} GB" : "";
            return
            [
                $"LoRA step, {crops} crop{(crops == 1 ? "" : "s")}, batch 1", .. timing.Cells,
                $"{(1000 / timing.Median).ToString("0.00", CultureInfo.InvariantCulture)} images/s, "
                    + $"{Number(step.Size.Tokens / timing.Median)} k tokens/s{memory}",
                Share(cost.OperationsOfStep(step.Size, step.Trained) / timing.Median, limits.OperationsPerMillisecond),
            ];
        }

        Timing Time(string name, BenchmarkPrompt prompt, int tokens) => meter.Measure(name, () =>
        {
            generator.Generate(prompt.Input, new GenerationSettings { MaxTokens = tokens }, CancellationToken.None);
            cuda.synchronize();
        });
    }

    private static Phi3VisionModel Load(Phi3VisionConfig config)
    {
        using var scratch = new ScratchFolder("full");
        config.Save(scratch.Path);
        new RandomCheckpoint(config, seed: 1).Write(scratch.Path);
        var model = ModelFolder.LoadModel(scratch.Path, CUDA, ScalarType.BFloat16);
        model.eval();
        return model;
    }

    private static int[] Text(Phi3VisionConfig config)
    {
        var random = new Random(5);
        return [config.BosTokenId, .. Enumerable.Range(1, TextTokens - 1).Select(_ => random.Next(3, config.PadTokenId))];
    }
}

/// <summary>Peak rates of the GPU, measured in this run.</summary>
/// <param name="BytesPerMillisecond">Bytes read and written by a large copy on the device.</param>
/// <param name="OperationsPerMillisecond">Operations of a large bf16 matrix product.</param>
internal sealed record GpuLimits(double BytesPerMillisecond, double OperationsPerMillisecond)
{
    private const long CopiedValues = 1L << 30;
    private const int Bf16 = 2;
    private const long Side = 8192;

    /// <summary>Measures both rates.</summary>
    public static GpuLimits Measure(Meter meter)
    {
        using var scope = NewDisposeScope();
        var source = zeros(CopiedValues, dtype: ScalarType.BFloat16, device: CUDA);
        var target = zeros(CopiedValues, dtype: ScalarType.BFloat16, device: CUDA);
        var copy = meter.Measure("a large copy on the GPU", () =>
        {
            target.copy_(source);
            cuda.synchronize();
        });
        var left = randn(Side, Side, dtype: ScalarType.BFloat16, device: CUDA);
        var right = randn(Side, Side, dtype: ScalarType.BFloat16, device: CUDA);
        var product = meter.Measure("a large matrix product on the GPU", () =>
        {
            left.matmul(right).Dispose();
            cuda.synchronize();
        });
        // A copy reads and writes each value; a product of two n×n matrices takes 2n³ operations.
        return new GpuLimits(2.0 * Bf16 * CopiedValues / copy.Median, 2.0 * Side * Side * Side / product.Median);
    }
}
