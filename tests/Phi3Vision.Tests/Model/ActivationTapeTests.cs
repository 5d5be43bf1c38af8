using FunctionsPipeline.Phi3Vision.Config;
using FunctionsPipeline.Phi3Vision.Model;
using FunctionsPipeline.Phi3Vision.Weights;
using TorchSharp;
using static TorchSharp.torch;

namespace FunctionsPipeline.Phi3Vision.Tests.Model;

public sealed class ActivationTapeTests : IDisposable
{
    private readonly DisposeScope _scope = NewDisposeScope();
    private readonly Phi3VisionModel _model =
        new(Presets.Tiny(400) with { NumHiddenLayers = 4, Clip = Presets.Tiny(400).Clip with { NumHiddenLayers = 4 } });

    public ActivationTapeTests() => Initializer.Initialize(_model, seed: 5);

    public void Dispose()
    {
        _model.Dispose();
        _scope.Dispose();
    }

    [Theory]
    [InlineData("")]
    [InlineData("img_processor")]
    [InlineData("vision_embed_tokens")]
    [InlineData("embed_tokens")]
    [InlineData("model.layers")]
    [InlineData("layers.0", "layers.2", "embed_tokens")]
    [InlineData("model.", "lm_head")]
    public void Gradients_are_those_without_a_tape_whatever_is_frozen(params string[] frozen)
    {
        var trained = 0;
        foreach (var (name, parameter) in _model.named_parameters())
        {
            parameter.requires_grad = !frozen.Any(part => part.Length > 0 && name.Contains(part, StringComparison.Ordinal));
            if (parameter.requires_grad) trained++;
        }
        foreach (var input in new[] { Padded(), Packed() })
        {
            if (trained > 0) Loss(_model.Hidden(input)).backward();
            var expected = Gradients.Take(_model);
            using var tape = new ActivationTape();
            tape.Backward(Loss(_model.Hidden(input, tape: tape)));
            var actual = Gradients.Take(_model);
            Assert.Equal(expected.Count == 0, trained == 0);
            if (trained > 0) Gradients.AssertEqual(expected, actual, 1e-6);
            else Assert.Empty(actual);
        }
    }

    [Fact]
    public void Gradients_may_start_from_hidden_states()
    {
        var gradient = torch.rand_like(_model.Hidden(Packed()));
        _model.Hidden(Packed()).backward([gradient]);
        var expected = Gradients.Take(_model);
        using var tape = new ActivationTape();
        tape.Backward(_model.Hidden(Packed(), tape: tape), gradient);
        Gradients.AssertEqual(expected, Gradients.Take(_model), 1e-6);
    }

    [Fact]
    public void Positions_have_the_states_and_gradients_that_they_have_among_all()
    {
        var positions = torch.tensor(new long[] { 2, 313, 400, 628 });
        foreach (var input in new[] { Padded(), Packed() })
        {
            var all = _model.Hidden(input).flatten(0, 1).index_select(0, positions);
            Loss(all).backward();
            var expected = Gradients.Take(_model);
            var some = _model.Hidden(input, positions: positions);
            Close.Assert(all, some, 1e-5);
            Loss(some).backward();
            Gradients.AssertEqual(expected, Gradients.Take(_model), 1e-5);
            using var tape = new ActivationTape();
            tape.Backward(Loss(_model.Hidden(input, tape: tape, positions: positions)));
            Gradients.AssertEqual(expected, Gradients.Take(_model), 1e-5);
        }
    }

    [Fact]
    public void Gradients_without_recording_are_not_taken_from_a_tape()
    {
        using var tape = new ActivationTape();
        using (torch.no_grad()) Assert.False(_model.Hidden(Packed(), tape: tape).requires_grad);
        tape.Backward(torch.zeros(1));
        Assert.Empty(Gradients.Take(_model));
    }

    private Tensor Loss(Tensor hidden) => _model.Logits(hidden).square().mean();

    private static ModelInput Padded()
    {
        var ids = torch.tensor([.. Enumerable.Repeat(-1L, 313), 5, 6, .. Enumerable.Repeat(-1L, 313), 7, 390], [2L, 315L]);
        var mask = torch.ones_like(ids);
        mask[1, 314] = torch.tensor(0L);
        return new ModelInput(
            ids,
            mask,
            torch.cat([TestImages.OfOneView(1), TestImages.Noise(1, 2)]),
            torch.cat([TestImages.Size(1, 1), TestImages.Size(1, 1)]));
    }

    private static ModelInput Packed() => Padded() with
    {
        InputIds = TinyModel.Ids([.. Enumerable.Repeat(-1L, 313), 5, 6, .. Enumerable.Repeat(-1L, 313), 7]).InputIds,
        AttentionMask = null,
        SegmentLengths = [315, 314],
    };
}
