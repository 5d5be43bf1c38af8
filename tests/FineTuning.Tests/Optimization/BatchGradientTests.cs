using FunctionsPipeline.FineTuning;
using FunctionsPipeline.Phi3Vision;
using static TorchSharp.torch;

namespace FunctionsPipeline.Tests.FineTuning;

public sealed class BatchGradientTests : IDisposable
{
    private readonly Phi3VisionModel _model = new(SmallModel.Config with { NumHiddenLayers = 2 });

    public BatchGradientTests() => Initializer.Initialize(_model, seed: 1);

    public void Dispose() => _model.Dispose();

    [Theory]
    [InlineData(4, 2, false, false)]
    [InlineData(5, 2, false, false)]
    [InlineData(4, 4, true, false)]
    [InlineData(5, 3, true, true)]
    [InlineData(3, 3, false, true)]
    public void Parts_have_the_loss_and_the_gradient_of_the_whole(int rows, int microBatch, bool packing, bool recompute)
    {
        using var scope = NewDisposeScope();
        var (loss, whole) = Compute(rows, rows);
        var (partsLoss, parts) = Compute(rows, microBatch, packing, recompute);
        Assert.Equal(loss, partsLoss, 1e-5);
        Assert.NotEmpty(whole);
        foreach (var (name, expected) in whole)
            Assert.True((parts[name] - expected).abs().max().item<float>() <= 1e-5 * Math.Max(1, expected.abs().max().item<float>()), name);
    }

    [Theory]
    [InlineData(4, false)]
    [InlineData(2, false)]
    [InlineData(3, true)]
    public void Parts_are_the_same_bits_every_time(int microBatch, bool recompute)
    {
        using var scope = NewDisposeScope();
        var (_, first) = Compute(6, microBatch, packing: true, recompute);
        for (var again = 0; again < 5; again++)
            foreach (var (name, gradient) in Compute(6, microBatch, packing: true, recompute).Gradients)
                Assert.Equal(first[name].bytes.ToArray(), gradient.bytes.ToArray());
    }

    [Theory]
    [InlineData(8, null, 1, 8)]
    [InlineData(9, 8, 2, 5)]
    [InlineData(6, 4, 2, 3)]
    [InlineData(4, 16, 1, 4)]
    [InlineData(5, 1, 5, 1)]
    public void Batches_are_cut_evenly_into_parts_that_fit(int batch, int? microBatch, int parts, int partSize)
    {
        var gradient = new BatchGradient(_model, CPU, batch, microBatch);
        Assert.Equal((parts, partSize), (gradient.Parts, gradient.PartSize));
    }

    [Fact]
    public void A_part_that_fails_fails_the_batch()
    {
        using var scope = NewDisposeScope();
        var gradient = new BatchGradient(_model, CPU, batchSize: 2, microBatchSize: 1);
        var outside = new TrainingBatch([NoisePicture.Sample(answer: SmallModel.Config.VocabSize)], padding: 0);
        Assert.Throws<ArgumentException>(() => gradient.Add([new TrainingBatch([NoisePicture.Sample(5)], padding: 0), outside]));
        Assert.Throws<ArgumentException>(() => gradient.Add([outside, new TrainingBatch([NoisePicture.Sample(5)], padding: 0)]));
    }

    [Fact]
    public void A_loss_that_is_not_a_number_is_returned()
    {
        using var scope = NewDisposeScope();
        using (no_grad()) _model.named_parameters().Single(pair => pair.name == "lm_head.weight").parameter.fill_(float.NaN);
        Assert.True(double.IsNaN(Compute(3, 1).Loss));
    }

    private (double Loss, Dictionary<string, Tensor> Gradients) Compute(
        int rows, int microBatch, bool packing = false, bool recompute = false)
    {
        var gradient = new BatchGradient(_model, CPU, rows, microBatch, recompute);
        _model.zero_grad();
        var samples = Enumerable.Range(0, rows).Select(NoisePicture.Sample).Chunk(gradient.PartSize);
        var loss = gradient.Add([.. samples.Select(part => new TrainingBatch(part, padding: 0, packing: packing))]);
        return (loss, _model.named_parameters().Where(p => p.parameter.grad is not null).ToDictionary(p => p.name, p => p.parameter.grad!.clone()));
    }
}
