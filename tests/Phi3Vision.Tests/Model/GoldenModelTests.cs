using FunctionsPipeline.Phi3Vision;
using TorchSharp;
using static TorchSharp.torch;
using Generator = FunctionsPipeline.Phi3Vision.Generator;

namespace FunctionsPipeline.Tests.Phi3Vision;

/// <summary>The model against recorded numbers; what they encode is in the recordings' own description.</summary>
public sealed class GoldenModelTests
{
    private static readonly HashSet<int> NoStop = [];

    [Theory]
    [InlineData("tiny-image")]
    [InlineData("tiny-text-only")]
    public void Logits_and_hidden_states_are_the_recorded_ones(string name)
    {
        using var scope = NewDisposeScope();
        using var golden = GoldenCase.Load(name);
        using var noGradients = torch.no_grad();
        var input = golden.Input;
        var hidden = golden.Model.Hidden(input);
        AssertClose(golden.Recorded("final_hidden"), hidden, 3e-5, input.AttentionMask);
        AssertClose(golden.Recorded("logits"), golden.Model.Logits(hidden), 1e-4, input.AttentionMask);
    }

    [Theory]
    [InlineData("tiny-image")]
    public void Images_become_the_recorded_features_and_rows(string name)
    {
        using var scope = NewDisposeScope();
        using var golden = GoldenCase.Load(name);
        using var noGradients = torch.no_grad();
        var input = golden.Input;
        var features = golden.Model.Decoder.Images.Features(input.PixelValues!.flatten(0, 1));
        AssertClose(golden.Recorded("clip_features").flatten(0, 1), features, 2e-5);
        var rows = golden.Model.Decoder.Images.forward(input.PixelValues, CheckedInput.Create(input, golden.Model.Config, cache: null).Grids);
        AssertClose(golden.Recorded("image_embeds"), rows, 2e-5);
    }

    [Theory]
    [InlineData("tiny-image")]
    [InlineData("tiny-text-only")]
    public void Gradients_are_the_recorded_ones_and_absent_where_nothing_was_used(string name)
    {
        using var scope = NewDisposeScope();
        using var golden = GoldenCase.Load(name);
        var logits = golden.Model.forward(golden.Input);
        var (length, vocabulary) = (logits.shape[1], logits.shape[2]);
        var labels = golden.Recorded("labels").narrow(1, 1, length - 1).reshape(-1);
        var loss = nn.functional.cross_entropy(logits.narrow(1, 0, length - 1).reshape(-1, vocabulary), labels);
        Assert.Equal(golden.Recorded("loss").item<float>(), loss.item<float>(), 1e-5f);
        loss.backward();

        var parameters = golden.Model.named_parameters().ToDictionary(pair => pair.name, pair => pair.parameter);
        Assert.Equal(golden.ParametersWithoutGradient.Order(), parameters.Where(pair => pair.Value.grad is null).Select(pair => pair.Key).Order());
        foreach (var (parameter, gradient) in golden.Gradients())
        {
            var largest = gradient.abs().max().item<float>();
            AssertClose(gradient, parameters[parameter].grad!, Math.Max(5e-5 * largest, 1e-7), because: parameter);
        }
        var padding = parameters["model.embed_tokens.weight"].grad!.select(0, golden.Model.Config.PadTokenId);
        Assert.Equal(0, padding.abs().max().item<float>());
    }

    [Theory]
    [InlineData("tiny-image")]
    [InlineData("tiny-text-only")]
    public void Greedy_tokens_are_the_recorded_ones_with_and_without_cache(string name)
    {
        using var scope = NewDisposeScope();
        using var golden = GoldenCase.Load(name);
        using var noGradients = torch.no_grad();
        var expected = golden.Recorded("greedy_tokens");
        var tokens = new Generator(golden.Model).GreedyBatch(golden.Prompt, 16, NoStop, CancellationToken.None);
        Assert.Equal(expected.data<long>().ToArray(), tokens.SelectMany(row => row).Select(token => (long)token));
        Assert.Equal(golden.Recorded("greedy_tokens_nocache").data<long>().ToArray(), WithoutCache(golden, 16));
    }

    private static IEnumerable<long> WithoutCache(GoldenCase golden, int steps)
    {
        var input = golden.Prompt;
        for (var step = 0; step < steps; step++)
        {
            var mask = input.AttentionMask!;
            var counted = (mask.cumsum(1) - 1).masked_fill(mask.logical_not(), 1);
            var logits = golden.Model.forward(input with { PositionIds = counted });
            var next = logits.select(1, logits.shape[1] - 1).argmax(-1).unsqueeze(1);
            input = input with
            {
                InputIds = torch.cat([input.InputIds, next], dim: 1),
                AttentionMask = torch.cat([mask, torch.ones_like(next)], dim: 1),
            };
        }
        return input.InputIds.narrow(1, input.InputIds.shape[1] - steps, steps).contiguous().data<long>().ToArray();
    }

    /// <param name="mask">I64 [B, L]: rows of padding have no meaning and are not compared.</param>
    private static void AssertClose(Tensor expected, Tensor actual, double tolerance, Tensor? mask = null, string because = "")
    {
        Assert.Equal(expected.shape, actual.shape);
        var difference = (expected - actual).abs();
        if (mask is not null) difference *= mask.unsqueeze(-1);
        var worst = difference.max().item<float>();
        Assert.True(worst <= tolerance, $"{because} differs by {worst}, more than {tolerance}");
    }
}
