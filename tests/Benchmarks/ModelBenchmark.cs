using System.Globalization;
using FunctionsPipeline.Contracts;
using FunctionsPipeline.FineTuning;
using FunctionsPipeline.FineTuning.Data;
using FunctionsPipeline.Phi3Vision.Config;
using FunctionsPipeline.Phi3Vision.Images;
using FunctionsPipeline.Phi3Vision.Model;
using FunctionsPipeline.Phi3Vision.Text;
using FunctionsPipeline.Phi3Vision.Weights;
using TorchSharp;
using static TorchSharp.torch;

namespace FunctionsPipeline.Benchmarks;

/// <summary>Measures a training step and generation with the model that the reference was timed with.</summary>
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
            using var step = new FineTuningStep(model, [.. Enumerable.Repeat((row, image), samples)]);
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

/// <summary>The model and the rows that the reference was timed with.</summary>
internal static class ReferenceModel
{
    /// <summary>Positions of the prompt: an image of one crop (313 tokens) and 38 tokens of text.</summary>
    public const int PromptTokens = 351;

    /// <summary>Positions of a training row: the prompt and an answer.</summary>
    public const int TrainingTokens = 380;

    private const long Parameters = 5_353_984;
    private const int TokensBeforeImage = 5;

    private static readonly double[] NoScaling = [.. Enumerable.Repeat(1.0, 16)];

    private static readonly Phi3VisionConfig Config = new()
    {
        HiddenSize = 256,
        IntermediateSize = 688,
        NumHiddenLayers = 4,
        NumAttentionHeads = 8,
        NumKeyValueHeads = 8,
        VocabSize = 2048,
        PadTokenId = 2047,
        MaxPositionEmbeddings = 4096,
        OriginalMaxPositionEmbeddings = 4096,
        RopeScaling = new RopeScaling { ShortFactor = NoScaling, LongFactor = NoScaling },
        Clip = new ClipConfig { HiddenSize = 128, IntermediateSize = 512, NumHiddenLayers = 4, NumAttentionHeads = 4, ProjectionDim = 128 },
    };

    /// <summary>Makes the model, with random weights.</summary>
    public static Phi3VisionModel Create(ScalarType type)
    {
        var model = new Phi3VisionModel(Config, dtype: type);
        Initializer.Initialize(model, seed: 1);
        var count = model.parameters().Sum(parameter => parameter.numel());
        return count == Parameters ? model
            : throw new InvalidOperationException($"The model has {count} parameters; the reference was timed with {Parameters}.");
    }

    /// <summary>A prompt and an answer of random tokens about an image.</summary>
    public static TrainingRow Row(ProcessedImage image)
    {
        var random = new Random(2);
        var ids = Enumerable.Range(0, TrainingTokens).Select(_ => random.Next(3, Config.PadTokenId)).ToArray();
        ids[0] = Config.BosTokenId;
        ids.AsSpan(TokensBeforeImage, image.Tokens).Fill(-1);
        return new TrainingRow(ids, PromptTokens);
    }
}

/// <summary>Measures training steps as the demo takes them.</summary>
internal sealed class TinyTrainingBenchmark : IBenchmark
{
    private const int BatchSize = 8;
    private const int Vocabulary = 512;

    private static readonly Answer[] Answers =
    [
        new("Check Cotton Scarf", "SCARVES", 450), new("Striped Wool Coat", "COATS", 1890), new("Dotted Silk Dress", "DRESSES", 1250.5),
        new("Plain Linen Shirt", "SHIRTS", 320), new("Leather Boots", "SHOES", 790), new("Check Canvas Bag", "BAGS", 1100),
        new("Quilted Jacket", "JACKETS", 650), new("Striped Knit Hat", "HATS", 210),
    ];

    /// <inheritdoc/>
    public string Name => "tiny";

    /// <inheritdoc/>
    public string Title => "Training as in the demo";

    /// <inheritdoc/>
    public string Description => "a training step of the demo: the tiny preset, batch 8, with 1 and 2 threads";

    /// <inheritdoc/>
    public Section Measure(Meter meter)
    {
        var question = new TrainingSettings().Question;
        var tokenizer = Tokenizer.Parse(TokenizerTrainer.Train([question, .. Answers.Select(answer => answer.ToString())], Vocabulary));
        var config = Presets.Tiny(Vocabulary) with { PadTokenId = tokenizer.Id(SpecialTokens.EndOfText) };
        var rows = new RowBuilder(tokenizer, new ServingSettings { Question = question });
        var processor = new ImageProcessor(numCrops: 1);
        var samples = Enumerable.Range(0, BatchSize).Select(Sample).ToArray();
        using var model = new Phi3VisionModel(config);
        Initializer.Initialize(model, seed: 1);
        model.train();

        var cost = new ModelCost(config);
        var table = new Table(
            "threads", "batch", "median ms", "fastest ms", "rounds", "samples/s", "GFLOP/s", "peak GFLOP/s", "share of the peak");
        foreach (var count in new[] { 1, 2 })
        {
            using var threads = new TorchThreads(count);
            var peak = CpuLimits.Operations(meter, ScalarType.Float32);
            using var halves = new FineTuningStep(model, samples);
            using var whole = new FineTuningStep(model, samples, sideBySide: false);
            FineTuningStep[] ways = count == 1 ? [whole] : [whole, halves];
            var timings = meter.Measure(
                $"training step of the tiny preset, {Cell.Threads(count)}",
                [.. ways.Select(way => (Func<double>)(() => Meter.Time(way.Take)))]);
            foreach (var (way, timing) in ways.Zip(timings))
            {
                var operations = cost.OperationsOfStep(way.Size, way.Trained) / timing.Median;
                table.Add([
                    count.ToString(CultureInfo.InvariantCulture), way == halves ? "halves side by side" : "whole", .. timing.Cells,
                    Cell.Number(1000 * BatchSize / timing.Median), Cell.Number(operations / 1e6), Cell.Number(peak / 1e6),
                    Cell.Share(operations, peak),
                ]);
            }
        }
        return new Section(
            $"The tiny preset ({Number(model.parameters().Sum(p => p.numel()))} parameters, vocabulary {Vocabulary}), " +
            $"a batch of {BatchSize} pictures of one crop and {Number(samples.Sum(sample => sample.Row.Ids.Length))} tokens in all, " +
            "float32; images are processed before. With two threads, steps of the whole batch, whose operators share them, and of its " +
            $"halves side by side, as runs take them, in turn. {ModelBenchmark.PeakText}",
            table);

        (TrainingRow Row, ProcessedImage Image) Sample(int i)
        {
            using var picture = Photograph.Draw(224, 320, seed: i);
            var image = processor.Process(picture);
            return (rows.Row([image.Tokens], Answers[i % Answers.Length]), image);
        }
    }

    private static string Number(long value) => value.ToString("N0", CultureInfo.InvariantCulture);
}

/// <summary>Peak rates of the processor with torch's threads, measured in this run.</summary>
internal static class CpuLimits
{
    private const long Side = 2048;
    // 1.07 GB of float32: more than any cache holds.
    private const long ReadSide = 1 << 14;

    /// <summary>Operations per millisecond of a product of two large matrices.</summary>
    public static double Operations(Meter meter, ScalarType type)
    {
        using var scope = NewDisposeScope();
        var (left, right) = (randn(Side, Side).to(type), randn(Side, Side).to(type));
        var product = meter.Measure(
            $"a large matrix product, {type}, {Cell.Threads(get_num_threads())}", () => left.matmul(right).Dispose());
        // A product of two n×n matrices takes 2n³ operations.
        return 2.0 * Side * Side * Side / product.Median;
    }

    /// <summary>Bytes per millisecond that a product of a large matrix and a vector reads: decoding a token is made of these.</summary>
    public static double Bytes(Meter meter)
    {
        using var scope = NewDisposeScope();
        var (matrix, vector) = (ones(ReadSide, ReadSide), ones(ReadSide));
        var product = meter.Measure(
            $"a large matrix times a vector, {Cell.Threads(get_num_threads())}", () => matrix.mv(vector).Dispose());
        return (double)sizeof(float) * ReadSide * ReadSide / product.Median;
    }
}

/// <summary>Sets how many threads torch computes with, until it is disposed.</summary>
internal sealed class TorchThreads : IDisposable
{
    private readonly int _before = torch.get_num_threads();

    public TorchThreads(int count) => torch.set_num_threads(count);

    /// <inheritdoc/>
    public void Dispose() => torch.set_num_threads(_before);
}
