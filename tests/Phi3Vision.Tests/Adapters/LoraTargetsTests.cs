using FunctionsPipeline.Contracts;
using FunctionsPipeline.Phi3Vision;

namespace FunctionsPipeline.Tests.Phi3Vision;

public sealed class LoraTargetsTests
{
    private const string Vision = "model.vision_embed_tokens";

    // Two decoder layers and as many of CLIP.
    private static readonly Phi3VisionConfig Config = Presets.Tiny(400) with { NumHiddenLayers = 2 };

    [Fact]
    public void All_linear_is_every_linear_layer_of_the_decoder()
    {
        string[] kinds = ["self_attn.o_proj", "self_attn.qkv_proj", "mlp.gate_up_proj", "mlp.down_proj"];
        Assert.Equal([.. kinds.Select(kind => $"model.layers.0.{kind}"), .. kinds.Select(kind => $"model.layers.1.{kind}")], Names(LoraSettings.AllLinear));
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
            "all-linear and down_proj, fc1, fc2, gate_up_proj, img_projection.0, img_projection.2, k_proj, o_proj, out_proj, q_proj, qkv_proj, v_proj",
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
