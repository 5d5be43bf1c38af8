using FunctionsPipeline.Phi3Vision;
using TorchSharp;
using Generator = FunctionsPipeline.Phi3Vision.Generator;

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

    /// <inheritdoc/>
    public Section Measure(Meter meter)
    {
        using var threads = new TorchThreads(Threads);
        using var picture = Photograph.Draw(640, 640, seed: 3);
        var image = new ImageProcessor(numCrops: 1).Process(picture);
        var row = ReferenceModel.Row(image);
        using var model = ReferenceModel.Create();
        var table = new ReferenceTable();

        model.train();
        using (var step = new TrainingStep(model, [(row, image)]))
            Add("training step", step.Take, ReferenceFigures.TrainingStep);
        using (var step = new TrainingStep(model, [.. Enumerable.Repeat((row, image), Packed)]))
            Add($"training step, {Packed} samples packed", step.Take, Packed * ReferenceFigures.TrainingStep);
        // Generation must not compute beside gradients that training has left.
        model.zero_grad();
        model.eval();

        using var whole = new BenchmarkPrompt(row.Ids, image, torch.CPU);
        Add("forward, logits of all positions", () =>
        {
            using var noGradients = torch.no_grad();
            model.forward(whole.Input).Dispose();
        }, ReferenceFigures.Forward);

        using var prompt = new BenchmarkPrompt(row.PromptOnly().Ids, image, torch.CPU);
        var generator = new Generator(model);
        Add($"generate {NewTokens} tokens with cache, prompt included", () => Generate(NewTokens), ReferenceFigures.Generation);
        Add("prefill and 1 token", () => Generate(1), ReferenceFigures.Prefill);

        return new Section(
            "Text: hidden 256, 4 layers, 8 heads, intermediate 688, vocabulary 2048; CLIP: hidden 128, intermediate 512, 4 layers, " +
            $"4 heads: 5,353,984 parameters. num_crops 1 (313 image tokens), {ReferenceModel.TrainingTokens} tokens of training, " +
            $"{ReferenceModel.PromptTokens} of prompt, batch 1 where nothing else is said (the reference's time is then that of as many steps), float32, full fine-tuning with AdamW at 1e-4, {Threads} threads. " +
            "Our step also clips the gradients' norm.\n\n" + ReferenceTable.Source,
            table.Table);

        void Add(string work, Action action, double reference) => table.Add(work, meter.Measure(work, action), reference);

        void Generate(int tokens)
        {
            var answer = generator.Generate(prompt.Input, new GenerationSettings { MaxTokens = tokens }, CancellationToken.None)[0];
            if (answer.Tokens.Count != tokens) throw new InvalidOperationException($"{answer.Tokens.Count} tokens instead of {tokens}.");
        }
    }
}
