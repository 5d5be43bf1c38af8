using System.Globalization;
using FunctionsPipeline.Contracts;
using FunctionsPipeline.FineTuning;
using FunctionsPipeline.Phi3Vision;
using static TorchSharp.torch;

namespace FunctionsPipeline.Benchmarks;

/// <summary>Training steps as the demo takes them.</summary>
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
        var table = new Table("threads", "median ms", "fastest ms", "rounds", "samples/s", "GFLOP/s", "peak GFLOP/s", "share of the peak");
        foreach (var count in new[] { 1, 2 })
        {
            using var threads = new TorchThreads(count);
            var peak = CpuLimits.Operations(meter, ScalarType.Float32);
            using var step = new TrainingStep(model, samples);
            var timing = meter.Measure($"training step of the tiny preset, {Cell.Threads(count)}", step.Take);
            var operations = cost.OperationsOfStep(step.Size, step.Trained) / timing.Median;
            table.Add([
                count.ToString(CultureInfo.InvariantCulture), .. timing.Cells, Cell.Number(1000 * BatchSize / timing.Median),
                Cell.Number(operations / 1e6), Cell.Number(peak / 1e6), Cell.Share(operations, peak),
            ]);
        }
        return new Section(
            $"The tiny preset ({Number(model.parameters().Sum(p => p.numel()))} parameters, vocabulary {Vocabulary}), " +
            $"a batch of {BatchSize} pictures of one crop and {Number(samples.Sum(sample => sample.Row.Ids.Length))} tokens in all, " +
            $"float32; images are processed before. {ModelBenchmark.PeakText}",
            table);

        (TrainingRow Row, ProcessedImage Image) Sample(int i)
        {
            using var picture = Photograph.Draw(224, 320, seed: i);
            var image = processor.Process(picture);
            return (rows.Row(image.Tokens, Answers[i % Answers.Length]), image);
        }
    }

    private static string Number(long value) => value.ToString("N0", CultureInfo.InvariantCulture);
}
