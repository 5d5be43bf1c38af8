using FunctionsPipeline.Phi3Vision.Model;
using TorchSharp;
using static TorchSharp.torch;

namespace FunctionsPipeline.Phi3Vision.Tests.Model;

/// <summary>The model against recorded numbers; what they encode, and the tolerances, are in the recordings' own description.</summary>
public sealed class GoldenModelTests
{
    private static readonly string[] Inputs =
        ["input_ids", "attention_mask", "labels", "pixel_values", "image_sizes", "gen_input_ids", "gen_attention_mask", "cross.input_ids"];

    private static readonly string[] Outputs =
    [
        "clip_features", "image_embeds", "hidden_after_embed", "hidden_layer_0", "final_hidden", "logits", "loss", "rope_cos", "rope_sin",
        "greedy_tokens", "greedy_tokens_nocache", "greedy_logits",
        "cross.greedy_tokens_cache", "cross.greedy_tokens_nocache", "cross.logits_cache", "cross.logits_nocache",
    ];

    [Theory, GoldenCases("input_ids")]
    public void Every_recorded_tensor_is_compared(string name)
    {
        using var golden = GoldenCase.Load(name);
        Assert.Empty(golden.Names.Where(tensor => !tensor.StartsWith("grad.", StringComparison.Ordinal)).Except(Inputs).Except(Outputs));
    }

    [Theory, GoldenCases("logits")]
    public void Everything_on_the_way_to_the_logits_is_the_recorded(string name)
    {
        using var scope = NewDisposeScope();
        using var golden = GoldenCase.Load(name);
        using var noGradients = torch.no_grad();
        using var trace = new ForwardTrace();
        var input = golden.Input;
        var logits = golden.Model.forward(input, trace: trace);
        Close.Assert(golden.Recorded("rope_cos"), trace.RopeCos!, 2e-6);
        Close.Assert(golden.Recorded("rope_sin"), trace.RopeSin!, 2e-6);
        Close.Assert(golden.Recorded("hidden_after_embed"), trace.HiddenAfterEmbed!, 2e-5, input.AttentionMask);
        Close.Assert(golden.Recorded("hidden_layer_0"), trace.HiddenLayers[0], 3e-5, input.AttentionMask);
        Close.Assert(golden.Recorded("final_hidden"), trace.FinalHidden!, 3e-5, input.AttentionMask);
        Close.Assert(golden.Recorded("logits"), logits, 1e-4, input.AttentionMask);
        Assert.Equal(golden.Model.Config.NumHiddenLayers, trace.HiddenLayers.Count);
        Assert.Equal(golden.Has("image_embeds"), trace.ImageEmbeds is not null);
    }

    [Theory, GoldenCases("clip_features")]
    public void Images_become_the_recorded_features_and_rows(string name)
    {
        using var scope = NewDisposeScope();
        using var golden = GoldenCase.Load(name);
        using var noGradients = torch.no_grad();
        using var trace = new ForwardTrace();
        var input = golden.Input;
        Close.Assert(golden.Recorded("clip_features").flatten(0, 1), golden.Model.ViewFeatures(input.PixelValues!.flatten(0, 1)), 2e-5);
        golden.Model.Hidden(input, trace: trace);
        Close.Assert(golden.Recorded("image_embeds"), trace.ImageEmbeds!, 2e-5);
    }

    [Theory, GoldenCases("loss")]
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
        Assert.Equal(
            golden.ParametersWithoutGradient.Order(), parameters.Where(pair => pair.Value.grad is null).Select(pair => pair.Key).Order());
        foreach (var (parameter, gradient) in golden.Gradients())
        {
            var largest = gradient.abs().max().item<float>();
            Close.Assert(gradient, parameters[parameter].grad!, Math.Max(5e-5 * largest, 1e-7), because: parameter);
        }
        var padding = parameters["model.embed_tokens.weight"].grad!.select(0, golden.Model.Config.PadTokenId);
        Assert.Equal(0, padding.abs().max().item<float>());
    }

    [Theory, GoldenCases("greedy_tokens")]
    public void Greedy_tokens_are_the_recorded_ones_with_and_without_cache(string name)
    {
        using var scope = NewDisposeScope();
        using var golden = GoldenCase.Load(name);
        var recorded = golden.Recorded("greedy_tokens");
        var cached = GreedySteps.Cached(golden.Model, golden.Prompt, (int)recorded.shape[1]);
        Assert.True(recorded.Equals(cached.Tokens), "with cache");
        Close.Assert(golden.Recorded("greedy_logits"), cached.Logits, 1e-4);
        var without = GreedySteps.Recomputed(golden.Model, golden.Prompt, (int)recorded.shape[1]);
        Assert.True(golden.Recorded("greedy_tokens_nocache").Equals(without.Tokens), "without cache");
    }

    [Theory, GoldenCases("cross.input_ids")]
    public void Tokens_beyond_the_original_positions_are_the_recorded_ones_with_and_without_cache(string name)
    {
        using var scope = NewDisposeScope();
        using var golden = GoldenCase.Load(name);
        var prompt = new ModelInput(golden.Recorded("cross.input_ids"));
        var recorded = golden.Recorded("cross.greedy_tokens_cache");
        var steps = (int)recorded.shape[1];
        var cached = GreedySteps.Cached(golden.Model, prompt, steps);
        Assert.True(recorded.Equals(cached.Tokens), "with cache");
        Close.Assert(golden.Recorded("cross.logits_cache"), cached.Logits, 1e-4);
        var without = GreedySteps.Recomputed(golden.Model, prompt, steps);
        Assert.True(golden.Recorded("cross.greedy_tokens_nocache").Equals(without.Tokens), "without cache");
        // These were recorded along the tokens of the cached run.
        var recomputed = GreedySteps.Recomputed(golden.Model, prompt, steps, along: recorded);
        Close.Assert(golden.Recorded("cross.logits_nocache"), recomputed.Logits, 1e-4);
    }
}
