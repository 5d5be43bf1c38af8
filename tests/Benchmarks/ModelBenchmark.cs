using FunctionsPipeline.FineTuning;
using FunctionsPipeline.Phi3Vision;
using static TorchSharp.torch;

namespace FunctionsPipeline.Benchmarks;

/// <summary>A training step and generation with the model that the reference was timed with.</summary>
internal sealed class ModelBenchmark : IBenchmark
{
    private const int Threads = 2;
    private const int NewTokens = 32;
    private const int Packed = 4;

    /// <inheritdoc/>
    public string Name => "model";

    /// <inheritdoc/>
    public string Title => "Training and generation";

    /// <inheritdoc/>
    public string Description => "training, a forward and generation of a model of 5.4 million parameters, beside the published code";

    /// <summary>Explains the share of the peak.</summary>
    public const string PeakText =
        "Peak: a product of two 2048² matrices with the same type and threads, measured in this run. GFLOP/s and share of it: for the " +
        "matrix products that the work needs (2·m·k·n each, computed once); in float32 training the target is 50 %.";

    /// <inheritdoc/>
    public Section Measure(Meter meter)
    {
        using var threads = new TorchThreads(Threads);
        using var picture = Photograph.Draw(640, 640, seed: 3);
        var image = new ImageProcessor(numCrops: 1).Process(picture);
        var row = ReferenceModel.Row(image);
        var table = new ReferenceTable("rate", "share of the limit");
        var bandwidth = CpuLimits.Bytes(meter);
        // Without instructions for bf16 a large product takes minutes.
        ScalarType[] types = Machine.HasBf16 ? [ScalarType.Float32, ScalarType.BFloat16] : [ScalarType.Float32];
        var peaks = types.Select(type => Measure(meter, type, row, image, bandwidth, table)).ToArray();

        return new Section(
            "Text: hidden 256, 4 layers, 8 heads, intermediate 688, vocabulary 2048; CLIP: hidden 128, intermediate 512, 4 layers, " +
            $"4 heads: 5,353,984 parameters. num_crops 1 (313 image tokens), {ReferenceModel.TrainingTokens} tokens of training, " +
            $"{ReferenceModel.PromptTokens} of prompt, batch 1 where nothing else is said (the reference's time is then that of as many " +
            $"steps), float32 or, with float32 copies in the optimizer, bf16, full fine-tuning with AdamW at 1e-4, {Threads} threads. " +
            "Our step also clips the gradients' norm.\n\n" +
            $"{PeakText} Here it is " +
            $"{string.Join(", ", types.Zip(peaks, (type, peak) => $"{Cell.Number(peak / 1e6)} GFLOP/s in {type}"))}. " +
            "A further token, at batch 1, reads all weights of the decoder and the head and the keys and values so far once; its share " +
            $"is that of the bandwidth of a large matrix times a vector, {Cell.Number(bandwidth / 1e6)} GB/s from memory, though a model " +
            "as small as this one fits into caches. Its time is that of " +
            $"{NewTokens} tokens less that of one, divided by {NewTokens - 1}.\n\n" +
            ReferenceTable.Source,
            table.Table);
    }

    /// <summary>Adds a row for all work with weights of a type.</summary>
    /// <returns>The peak, in operations per millisecond.</returns>
    private static double Measure(
        Meter meter, ScalarType type, TrainingRow row, ProcessedImage image, double bandwidth, ReferenceTable table)
    {
        var (suffix, isReference, valueBytes) = type == ScalarType.Float32 ? ("", true, sizeof(float)) : (", bf16", false, sizeof(ushort));
        using var model = ReferenceModel.Create(type);
        var cost = new ModelCost(model.Config);
        var peak = CpuLimits.Operations(meter, type);

        model.train();
        foreach (var samples in new[] { 1, Packed })
        {
            using var step = new TrainingStep(model, [.. Enumerable.Repeat((row, image), samples)]);
            Add(samples == 1 ? "training step" : $"training step, {samples} samples packed", step.Take,
                samples * ReferenceFigures.TrainingStep, cost.OperationsOfStep(step.Size, step.Trained));
        }
        // Generation must not compute beside gradients that training has left.
        model.zero_grad();
        model.eval();

        using var whole = new BenchmarkPrompt(row.Ids, image, CPU);
        Add("forward, logits of all positions", () =>
        {
            using var noGradients = no_grad();
            model.forward(whole.Input).Dispose();
        }, ReferenceFigures.Forward, cost.OperationsOfPrompt(row.Ids.Length, image.Tokens, image.Views, logits: row.Ids.Length));

        using var prompt = new BenchmarkPrompt(row.PromptOnly().Ids, image, CPU);
        var generator = new TextGenerator(model);
        var timings = meter.Measure($"generation{suffix}", () => Generate(NewTokens), () => Generate(1));
        var (all, first) = (timings[0], timings[1]);
        var token = (all.Median - first.Median) / (NewTokens - 1);
        var rate = cost.BytesOfToken(ReferenceModel.PromptTokens + NewTokens / 2.0, valueBytes) / token;
        AddRow($"generate {NewTokens} tokens with cache, prompt included", all, ReferenceFigures.Generation, "", "");
        AddPeak("prefill and 1 token", first, ReferenceFigures.Prefill,
            cost.OperationsOfPrompt(ReferenceModel.PromptTokens, image.Tokens, image.Views));
        table.Table.Add(
            $"a further token{suffix}", Cell.Number(token), "", "", $"{Cell.Number(rate / 1e6)} GB/s", Cell.Share(rate, bandwidth), "", "");
        return peak;

        void Add(string work, Action action, double reference, double operations) =>
            AddPeak(work, meter.Measure(work + suffix, action), reference, operations);

        void AddPeak(string work, Timing timing, double reference, double operations)
        {
            var rate = operations / timing.Median;
            AddRow(work, timing, reference, $"{Cell.Number(rate / 1e6)} GFLOP/s", Cell.Share(rate, peak));
        }

        void AddRow(string work, Timing timing, double reference, string rate, string share) =>
            table.Add(work + suffix, timing, isReference ? reference : null, rate, share);

        double Generate(int tokens) => Meter.Time(() =>
        {
            var answer = generator.Generate(prompt.Input, new GenerationSettings { MaxTokens = tokens }, CancellationToken.None)[0];
            if (answer.Tokens.Count != tokens) throw new InvalidOperationException($"{answer.Tokens.Count} tokens instead of {tokens}.");
        });
    }
}
