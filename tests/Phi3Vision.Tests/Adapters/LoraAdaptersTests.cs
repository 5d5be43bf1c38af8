using FunctionsPipeline.Contracts;
using FunctionsPipeline.Phi3Vision.Adapters;
using FunctionsPipeline.Phi3Vision.Config;
using FunctionsPipeline.Phi3Vision.Model;
using FunctionsPipeline.Phi3Vision.Tests.Model;
using TorchSharp;
using static TorchSharp.torch;

namespace FunctionsPipeline.Phi3Vision.Tests.Adapters;

public sealed class LoraAdaptersTests : IDisposable
{
    private static readonly LoraSettings Everything = new()
    {
        Rank = 4,
        Alpha = 8,
        Targets = [LoraSettings.AllLinear, "q_proj", "k_proj", "v_proj", "out_proj", "fc1", "fc2"],
        Projector = true,
    };

    private readonly GoldenCase _golden = GoldenCase.Load("tiny-image");
    private readonly DisposeScope _scope = NewDisposeScope();

    public void Dispose()
    {
        _scope.Dispose();
        _golden.Dispose();
    }

    [Fact]
    public void Fresh_adapters_change_nothing_and_disposed_ones_are_gone()
    {
        var before = Logits();
        var adapters = LoraAdapters.Attach(_golden.Model, Everything, seed: 1);
        Assert.True(before.Equals(Logits()));
        Fill(adapters);
        Assert.False(before.allclose(Logits()));
        adapters.Dispose();
        Assert.True(before.Equals(Logits()));
    }

    [Fact]
    public void A_is_drawn_from_the_seed_within_the_bound_of_Kaiming()
    {
        using var adapters = LoraAdapters.Attach(_golden.Model, Everything, seed: 1);
        using var same = LoraAdapters.Attach(_golden.Model, Everything, seed: 1);
        using var other = LoraAdapters.Attach(_golden.Model, Everything, seed: 2);
        foreach (var ((a, b), c) in adapters.Layers.Zip(same.Layers).Zip(other.Layers))
        {
            var bound = 1 / Math.Sqrt(a.A.shape[1]);
            Assert.InRange(a.A.abs().max().item<float>(), 0.8 * bound, bound);
            Assert.True(a.A.Equals(b.A));
            Assert.False(a.A.Equals(c.A));
            Assert.Equal(0, a.B.abs().max().item<float>());
        }
    }

    [Fact]
    public void A_gradient_reaches_the_adapters_of_all_layers_that_are_used_and_no_frozen_weight()
    {
        foreach (var parameter in _golden.Model.parameters()) parameter.requires_grad = false;
        using var adapters = LoraAdapters.Attach(_golden.Model, Everything, seed: 1);
        Fill(adapters);
        _golden.Model.forward(_golden.Input).square().mean().backward();
        var last = $".encoder.layers.{_golden.Model.Config.Clip.NumHiddenLayers - 1}.";
        Assert.All(adapters.Parameters, pair => Assert.Equal(pair.Name.Contains(last), pair.Parameter.grad is null));
        Assert.All(_golden.Model.parameters(), parameter => Assert.Null(parameter.grad));
    }

    [Theory]
    [InlineData(false, 2.0)]
    [InlineData(true, 4.0)]
    public void The_scale_is_alpha_over_the_rank_or_its_root(bool stabilized, double scale)
    {
        using var adapters = LoraAdapters.Attach(_golden.Model, Everything with { RankStabilized = stabilized }, seed: 1);
        Assert.Equal(scale, adapters.Scale);
    }

    [Fact]
    public void A_merged_model_computes_what_its_adapters_did()
    {
        using var adapters = LoraAdapters.Attach(_golden.Model, Everything, seed: 1);
        Fill(adapters);
        var expected = Logits();
        adapters.Merge();
        Close.Assert(expected, Logits(), 3e-5 * expected.abs().max().item<float>());
    }

    [Fact]
    public void Beside_weights_of_bfloat16_adapters_are_float32_and_a_merge_rounds_once()
    {
        using var model = new Phi3VisionModel(_golden.Model.Config, dtype: ScalarType.BFloat16);
        using (no_grad())
            foreach (var (to, from) in model.parameters().Zip(_golden.Model.parameters())) to.copy_(from).requires_grad = false;
        using var adapters = LoraAdapters.Attach(model, Everything with { Projector = false, Targets = ["qkv_proj"] }, seed: 1);
        Fill(adapters);
        var layer = adapters.Layers[0];
        Assert.Equal(ScalarType.Float32, layer.A.dtype);
        model.forward(_golden.Input).mean().backward();
        Assert.Equal(ScalarType.Float32, layer.A.grad!.dtype);

        var weight = model.named_parameters().Single(pair => pair.name == layer.Layer + ".weight").parameter;
        var expected = (weight.to(ScalarType.Float32) + 2 * layer.B.matmul(layer.A)).to(ScalarType.BFloat16);
        adapters.Merge();
        Assert.True(expected.Equals(weight));
    }

    [Fact]
    public void Dropout_follows_from_its_seed_and_is_off_in_evaluation()
    {
        using var adapters = LoraAdapters.Attach(_golden.Model, Everything with { Dropout = 0.3 }, seed: 1);
        Fill(adapters);
        adapters.DropoutSeed = 5;
        var first = Logits();
        var again = Logits();
        adapters.DropoutSeed = 6;
        var other = Logits();
        _golden.Model.eval();
        var evaluated = Logits();
        adapters.DropoutSeed = 7;
        Assert.True(first.Equals(again));
        Assert.False(first.allclose(other));
        Assert.True(evaluated.Equals(Logits()));
        Assert.False(evaluated.allclose(first));
    }

    [Fact]
    public void A_dropout_mask_keeps_its_share_in_every_row_column_and_pair_of_them()
    {
        const double share = 0.25;
        var mask = LoraDropout.Apply(ones([3, 400, 600]), share, seed: 9, layer: 2).view(1200, 600);
        Assert.Equal([0f, (float)(1 / (1 - share))], mask.unique().output.data<float>().ToArray());
        Assert.Equal(1, mask.mean().item<float>(), 0.01f);
        Assert.InRange(mask.mean([1]).std().item<float>(), 0.02f, 0.027f);
        Assert.InRange(mask.mean([0]).std().item<float>(), 0.014f, 0.02f);
        var centred = mask - mask.mean();
        foreach (var (a, b) in new[] { (0, 1), (7, 100), (1, 2) })
        {
            Assert.InRange((centred.select(1, a) * centred.select(1, b)).mean().item<float>(), -0.04f, 0.04f);
            Assert.InRange((centred.select(0, a) * centred.select(0, b)).mean().item<float>(), -0.05f, 0.05f);
        }
        Assert.False(mask.Equals(LoraDropout.Apply(ones([1200, 600]), share, seed: 9, layer: 3)));
        Assert.False(mask.Equals(LoraDropout.Apply(ones([1200, 600]), share, seed: 10, layer: 2)));
    }

    [Theory]
    [InlineData(0, 0.0)]
    [InlineData(4, 1.0)]
    [InlineData(4, double.NaN)]
    public void Settings_out_of_range_are_refused(int rank, double dropout) =>
        Assert.Throws<ArgumentException>(() =>
            LoraAdapters.Attach(_golden.Model, new LoraSettings { Rank = rank, Dropout = dropout }, seed: 1));

    private Tensor Logits()
    {
        using var noGradients = no_grad();
        return _golden.Model.forward(_golden.Input);
    }

    /// <summary>B of any numbers but zero.</summary>
    private static void Fill(LoraAdapters adapters)
    {
        using var noGradients = no_grad();
        foreach (var layer in adapters.Layers)
            layer.B.copy_(layer.A.mean([0]).sum() + arange(layer.B.numel()).view(layer.B.shape).sin() * 0.02);
    }
}

public sealed class LoraTargetsTests
{
    private const string Vision = "model.vision_embed_tokens";

    // Two decoder layers and as many of CLIP.
    private static readonly Phi3VisionConfig Config = Presets.Tiny(400) with { NumHiddenLayers = 2 };

    [Fact]
    public void All_linear_is_every_linear_layer_of_the_decoder()
    {
        string[] kinds = ["self_attn.o_proj", "self_attn.qkv_proj", "mlp.gate_up_proj", "mlp.down_proj"];
        Assert.Equal(
            [.. kinds.Select(kind => $"model.layers.0.{kind}"), .. kinds.Select(kind => $"model.layers.1.{kind}")],
            Names(LoraSettings.AllLinear));
    }

    [Theory]
    [InlineData("layers.0.mlp.down_proj", "model.layers.0.mlp.down_proj")]
    [InlineData("model.layers.1.self_attn.qkv_proj", "model.layers.1.self_attn.qkv_proj")]
    [InlineData("img_projection.2", Vision + ".img_projection.2")]
    [InlineData("encoder.layers.0.mlp.fc1", Vision + ".img_processor.vision_model.encoder.layers.0.mlp.fc1")]
    public void A_target_is_whole_components_at_the_end_of_a_name(string target, string layer) => Assert.Equal([layer], Names(target));

    [Fact]
    public void The_projector_is_added_when_asked_for() => Assert.Equal(
        [Vision + ".img_projection.0", Vision + ".img_projection.2", "model.layers.0.mlp.down_proj", "model.layers.1.mlp.down_proj"],
        LoraTargets.Select(Config, new LoraSettings { Targets = ["down_proj"], Projector = true }).Select(layer => layer.Name));

    [Theory]
    [InlineData("own_proj")]
    [InlineData("lm_head")]
    [InlineData("embed_tokens")]
    [InlineData("layers.7.mlp.down_proj")]
    public void A_target_that_matches_nothing_is_named_with_what_there_is(string target)
    {
        var error = Assert.Throws<ArgumentException>(() => Names("qkv_proj", target));
        Assert.Contains($"'{target}' matches no linear layer", error.Message);
        Assert.Contains(
            "all-linear and down_proj, fc1, fc2, gate_up_proj, img_projection.0, img_projection.2, k_proj, o_proj, out_proj, q_proj, " +
            "qkv_proj, v_proj",
            error.Message);
    }

    [Fact]
    public void No_target_at_all_is_an_error() => Assert.Throws<ArgumentException>(() => Names());

    [Theory]
    [InlineData("all-linear", "o_proj qkv_proj gate_up_proj down_proj")]
    [InlineData("layers.0.mlp.down_proj", "layers.0.mlp.down_proj")]
    [InlineData("fc1 img_projection.2", "fc1 img_projection.2")]
    [InlineData("layers.0.mlp.down_proj layers.1.mlp.down_proj", "down_proj")]
    public void The_shortest_names_mean_the_same_layers(string targets, string shortest)
    {
        var layers = Names(targets.Split(' '));
        var names = LoraTargets.Shortest(Config, layers);
        Assert.Equal(shortest.Split(' '), names);
        Assert.Equal(layers, Names([.. names]));
    }

    private static string[] Names(params string[] targets) =>
        [.. LoraTargets.Select(Config, new LoraSettings { Targets = targets }).Select(layer => layer.Name)];
}
