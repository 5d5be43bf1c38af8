using FunctionsPipeline.Phi3Vision.Config;
using FunctionsPipeline.Phi3Vision.Model;
using FunctionsPipeline.Phi3Vision.Weights;
using TorchSharp;
using static TorchSharp.torch;

namespace FunctionsPipeline.Phi3Vision.Tests.Model;

public sealed class Phi3VisionModelTests
{
    [Fact]
    public void The_published_size_has_the_published_number_of_parameters()
    {
        // The meta device has shapes and no memory.
        using var model = new Phi3VisionModel(Presets.Phi3Vision128K, new Device(DeviceType.META), ScalarType.BFloat16);
        Assert.Equal(4_146_621_440, model.parameters().Sum(parameter => parameter.shape.Aggregate(1L, (product, side) => product * side)));
        Assert.Equal([9216, 3072], model.state_dict()["model.layers.31.self_attn.qkv_proj.weight"].shape);
        var positions = model.state_dict()["model.vision_embed_tokens.img_processor.vision_model.embeddings.position_embedding.weight"];
        Assert.Equal([577, 1024], positions.shape);
    }

    [Fact]
    public void A_model_outlives_the_dispose_scope_it_was_made_in()
    {
        Phi3VisionModel model;
        using (NewDisposeScope()) model = new Phi3VisionModel(Presets.Tiny(400));
        using (model)
        using (var scope = NewDisposeScope())
            Assert.Equal([1, 2, 400], model.forward(new ModelInput(torch.ones(1, 2, dtype: ScalarType.Int64))).shape);
    }

    [Theory]
    [InlineData(ScalarType.BFloat16, 0.3)]
    [InlineData(ScalarType.Float32, 0)]
    public void A_lower_precision_changes_logits_by_little_also_with_padding(ScalarType dtype, double tolerance)
    {
        using var scope = NewDisposeScope();
        using var noGradients = torch.no_grad();
        using var exact = new Phi3VisionModel(Presets.Tiny(400));
        using var rounded = new Phi3VisionModel(Presets.Tiny(400), CPU, dtype);
        Initializer.Initialize(exact, seed: 4);
        Initializer.Initialize(rounded, seed: 4);
        var input = new ModelInput(
            torch.arange(3, 19, dtype: ScalarType.Int64).view(2, 8),
            torch.tensor(new long[] { 0, 0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1 }, [2L, 8L]));
        var difference = (exact.forward(input) - rounded.forward(input)).abs().narrow(1, 2, 6).max().item<float>();
        Assert.InRange(difference, 0, tolerance);
    }
}
