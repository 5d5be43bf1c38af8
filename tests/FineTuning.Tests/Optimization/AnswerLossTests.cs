using FunctionsPipeline.FineTuning;
using FunctionsPipeline.Phi3Vision;
using static TorchSharp.torch;

namespace FunctionsPipeline.Tests.FineTuning;

public sealed class AnswerLossTests : IDisposable
{
    private readonly Phi3VisionModel _model = new(SmallModel.Config);
    private readonly TrainingBatch _batch = new([NoisePicture.Sample(5), NoisePicture.Sample(2), NoisePicture.Sample(7)], padding: 0, packing: true);

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
        foreach (var (name, parameter) in _model.named_parameters()) parameter.requires_grad = !name.StartsWith(frozen, StringComparison.Ordinal);
        var (_, trained) = Gradient(new AnswerLoss(_model, CPU));
        Assert.Equal(all.Keys.Where(name => !name.StartsWith(frozen, StringComparison.Ordinal)).Order(), trained.Keys.Order());
    }

    private (double Loss, Dictionary<string, Tensor> Gradients) Gradient(AnswerLoss loss)
    {
        _model.zero_grad();
        var value = loss.AddGradient(_batch, divisor: 4);
        return (value, _model.named_parameters().Where(p => p.parameter.grad is not null).ToDictionary(p => p.name, p => p.parameter.grad!.clone()));
    }
}
