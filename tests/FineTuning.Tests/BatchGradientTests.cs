using FunctionsPipeline.FineTuning.Data;
using FunctionsPipeline.Phi3Vision.Model;
using FunctionsPipeline.Phi3Vision.Weights;
using static TorchSharp.torch;

namespace FunctionsPipeline.FineTuning.Tests;

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
        {
            foreach (var (name, gradient) in Compute(6, microBatch, packing: true, recompute).Gradients)
                Assert.Equal(first[name].bytes.ToArray(), gradient.bytes.ToArray());
        }
    }

    [Theory]
    [InlineData(4, false)]
    [InlineData(5, false)]
    [InlineData(4, true)]
    public void Halves_side_by_side_have_the_gradient_of_the_whole_and_are_the_same_bits_every_time(int rows, bool recompute)
    {
        using var scope = NewDisposeScope();
        var (loss, whole) = Compute(rows, rows, packing: true, recompute);
        var (_, first) = ComputeSideBySide();
        for (var again = 0; again < 10; again++)
        {
            var (halvesLoss, halves) = ComputeSideBySide();
            Assert.Equal(loss, halvesLoss, 1e-5);
            Assert.Equal(whole.Keys.Order(), halves.Keys.Order());
            foreach (var (name, gradient) in halves)
            {
                Assert.True(gradient.allclose(whole[name], rtol: 1e-4, atol: 1e-6), name);
                Assert.Equal(first[name].bytes.ToArray(), gradient.bytes.ToArray());
            }
        }

        (double Loss, Dictionary<string, Tensor> Gradients) ComputeSideBySide() =>
            WithTwoThreads(() => Compute(rows, rows, packing: true, recompute, sideBySide: true));
    }

    [Fact]
    public void A_half_that_fails_fails_the_batch_and_gives_the_threads_back()
    {
        using var scope = NewDisposeScope();
        var outside = new TrainingBatch([NoiseImage.Sample(answer: SmallModel.Config.VocabSize)], padding: 0);
        var inside = new TrainingBatch([NoiseImage.Sample(5)], padding: 0);
        WithTwoThreads(() =>
        {
            using var gradient = new BatchGradient(_model, CPU, batchSize: 2);
            Assert.Equal((2, 1), (gradient.Parts, gradient.PartSize));
            Assert.Throws<ArgumentException>(() => gradient.Add([inside, outside]));
            Assert.Throws<ArgumentException>(() => gradient.Add([outside, inside]));
            Assert.Throws<OperationCanceledException>(() => gradient.Add([inside, inside], cancellationToken: new(canceled: true)));
            Assert.True(double.IsFinite(gradient.Add([inside, inside])));
            Assert.Equal(2, get_num_threads());
            return true;
        });
    }

    [Theory]
    [InlineData(8, null, 1, 8)]
    [InlineData(9, 8, 2, 5)]
    [InlineData(6, 4, 2, 3)]
    [InlineData(4, 16, 1, 4)]
    [InlineData(5, 1, 5, 1)]
    public void Batches_are_cut_evenly_into_parts_that_fit(int batch, int? microBatch, int parts, int partSize)
    {
        using var gradient = new BatchGradient(_model, CPU, batch, microBatch);
        Assert.Equal((parts, partSize), (gradient.Parts, gradient.PartSize));
    }

    [Fact]
    public void A_part_that_fails_fails_the_batch()
    {
        using var scope = NewDisposeScope();
        using var gradient = new BatchGradient(_model, CPU, batchSize: 2, microBatchSize: 1);
        var outside = new TrainingBatch([NoiseImage.Sample(answer: SmallModel.Config.VocabSize)], padding: 0);
        Assert.Throws<ArgumentException>(() => gradient.Add([new TrainingBatch([NoiseImage.Sample(5)], padding: 0), outside]));
        Assert.Throws<ArgumentException>(() => gradient.Add([outside, new TrainingBatch([NoiseImage.Sample(5)], padding: 0)]));
    }

    [Fact]
    public void A_loss_that_is_not_a_number_is_returned()
    {
        using var scope = NewDisposeScope();
        using (no_grad()) _model.named_parameters().Single(pair => pair.name == "lm_head.weight").parameter.fill_(float.NaN);
        Assert.True(double.IsNaN(Compute(3, 1).Loss));
    }

    private (double Loss, Dictionary<string, Tensor> Gradients) Compute(
        int rows, int microBatch, bool packing = false, bool recompute = false, bool sideBySide = false)
    {
        using var gradient = new BatchGradient(_model, CPU, rows, microBatch, recompute, sideBySide: sideBySide);
        _model.zero_grad();
        var samples = Enumerable.Range(0, rows).Select(NoiseImage.Sample).Chunk(gradient.PartSize);
        var loss = gradient.Add([.. samples.Select(part => new TrainingBatch(part, padding: 0, packing: packing))]);
        return (loss, _model.named_parameters().Where(p => p.parameter.grad is not null)
            .ToDictionary(p => p.name, p => p.parameter.grad!.clone()));
    }

    private static T WithTwoThreads<T>(Func<T> work)
    {
        set_num_threads(2);
        try
        {
            return work();
        }
        finally
        {
            set_num_threads(1);
        }
    }
}

public sealed class AnswerLossTests : IDisposable
{
    private readonly Phi3VisionModel _model = new(SmallModel.Config);
    private readonly TrainingBatch _batch =
        new([NoiseImage.Sample(5), NoiseImage.Sample(2), NoiseImage.Sample(7)], padding: 0, packing: true);

    public AnswerLossTests() => Initializer.Initialize(_model, seed: 1);

    public void Dispose() => _model.Dispose();

    [Fact]
    public void The_loss_is_the_cross_entropy_of_the_labels()
    {
        using var scope = NewDisposeScope();
        using var noGradient = no_grad();
        var logits = _model.forward(_batch.Input(CPU)).flatten(0, 1).index_select(0, _batch.Positions(CPU));
        var expected = nn.functional.cross_entropy(logits, _batch.Targets(CPU), reduction: nn.Reduction.Sum).item<float>();
        Assert.Equal(expected, new AnswerLoss(_model, CPU).Sum(_batch), 1e-4);
        Assert.All(_model.parameters(), parameter => Assert.Null(parameter.grad));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    [InlineData(4)]
    [InlineData(11)]
    public void Chunks_have_the_loss_and_the_gradient_of_the_whole(int labelsAtOnce)
    {
        using var scope = NewDisposeScope();
        Assert.Equal(11, _batch.Labels);
        var whole = new AnswerLoss(_model, CPU);
        var chunked = new AnswerLoss(_model, CPU, mostLogits: labelsAtOnce * SmallModel.Config.VocabSize);
        Assert.Equal(whole.Sum(_batch), chunked.Sum(_batch), 1e-4);
        var (loss, expected) = Gradient(whole);
        var (chunkedLoss, actual) = Gradient(chunked);
        Assert.Equal(loss, chunkedLoss, 1e-5);
        foreach (var (name, gradient) in expected) Assert.True(gradient.allclose(actual[name], rtol: 1e-4, atol: 1e-6), name);
    }

    [Theory]
    [InlineData("lm_head")]
    [InlineData("model.")]
    public void Parts_may_be_frozen(string frozen)
    {
        using var scope = NewDisposeScope();
        var (_, all) = Gradient(new AnswerLoss(_model, CPU));
        foreach (var (name, parameter) in _model.named_parameters())
            parameter.requires_grad = !name.StartsWith(frozen, StringComparison.Ordinal);
        var (_, trained) = Gradient(new AnswerLoss(_model, CPU));
        Assert.Equal(all.Keys.Where(name => !name.StartsWith(frozen, StringComparison.Ordinal)).Order(), trained.Keys.Order());
    }

    private (double Loss, Dictionary<string, Tensor> Gradients) Gradient(AnswerLoss loss)
    {
        _model.zero_grad();
        var value = loss.AddGradient(_batch, divisor: 4);
        return (value, _model.named_parameters().Where(p => p.parameter.grad is not null)
            .ToDictionary(p => p.name, p => p.parameter.grad!.clone()));
    }
}
