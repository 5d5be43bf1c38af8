using FunctionsPipeline.FineTuning;
using FunctionsPipeline.Phi3Vision;
using static TorchSharp.torch;

namespace FunctionsPipeline.Tests.FineTuning;

public sealed class BatchGradientTests : IDisposable
{
    private readonly Phi3VisionModel _model = new(SmallModel.Config);

    public BatchGradientTests() => Initializer.Initialize(_model, seed: 1);

    public void Dispose() => _model.Dispose();

    [Theory]
    [InlineData(4)]
    [InlineData(3)]
    public void Halves_side_by_side_have_the_loss_and_the_gradient_of_the_whole(int rows)
    {
        using var scope = NewDisposeScope();
        var (loss, whole) = Compute(rows, parts: 1);
        var (halvesLoss, halves) = Compute(rows, parts: 2);
        Assert.Equal(loss, halvesLoss, 1e-5);
        Assert.NotEmpty(whole);
        foreach (var (name, expected) in whole)
            Assert.True((halves[name] - expected).abs().max().item<float>() <= 1e-5 * Math.Max(1, expected.abs().max().item<float>()), name);
    }

    [Fact]
    public void Halves_side_by_side_are_the_same_bits_every_time()
    {
        using var scope = NewDisposeScope();
        var (_, first) = Compute(rows: 4, parts: 2);
        for (var again = 0; again < 5; again++)
            foreach (var (name, gradient) in Compute(rows: 4, parts: 2).Gradients)
                Assert.Equal(first[name].bytes.ToArray(), gradient.bytes.ToArray());
    }

    [Fact]
    public void A_part_that_fails_fails_the_batch_after_both_have_ended()
    {
        using var scope = NewDisposeScope();
        using var gradient = new BatchGradient(_model, CPU, batchSize: 2, parts: 2);
        var outside = new TrainingBatch([Sample(answer: SmallModel.Config.VocabSize)], padding: 0);
        Assert.Throws<ArgumentException>(() => gradient.Add([new TrainingBatch([Sample(5)], padding: 0), outside]));
        Assert.Throws<ArgumentException>(() => gradient.Add([outside, new TrainingBatch([Sample(5)], padding: 0)]));
    }

    [Fact]
    public void Threads_are_given_back()
    {
        var before = get_num_threads();
        new BatchGradient(_model, CPU, batchSize: 2, parts: 2).Dispose();
        Assert.Equal(before, get_num_threads());
    }

    private (double Loss, Dictionary<string, Tensor> Gradients) Compute(int rows, int parts)
    {
        using var gradient = new BatchGradient(_model, CPU, rows, parts);
        foreach (var parameter in _model.parameters()) parameter.grad?.zero_();
        var samples = Enumerable.Range(0, rows).Select(Sample).Chunk(gradient.PartSize);
        var loss = gradient.Add([.. samples.Select(part => new TrainingBatch(part, padding: 0))]);
        return (loss, _model.named_parameters().Where(p => p.parameter.grad is not null).ToDictionary(p => p.name, p => p.parameter.grad!.clone()));
    }

    /// <summary>A picture of noise, and an answer of one more token for each row.</summary>
    private static (TrainingRow, ProcessedImage) Sample(int answer)
    {
        var random = new Random(answer);
        var pixels = new float[2 * 3 * 336 * 336];
        for (var i = 0; i < pixels.Length; i++) pixels[i] = random.NextSingle() - 0.5f;
        int[] prompt = [1, .. Enumerable.Repeat(-1, 313), 7];
        int[] ids = [.. prompt, answer, .. Enumerable.Repeat(9, Math.Min(answer, 3))];
        return (new TrainingRow(ids, prompt.Length), new ProcessedImage(pixels, 2, 336, 336, 1));
    }
}
