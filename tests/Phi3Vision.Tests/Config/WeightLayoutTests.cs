using FunctionsPipeline.Phi3Vision.Config;
using FunctionsPipeline.Phi3Vision.Model;
using TorchSharp;
using static TorchSharp.torch;

namespace FunctionsPipeline.Phi3Vision.Tests.Config;

public sealed class WeightLayoutTests
{
    public static TheoryData<Phi3VisionConfig> Configurations => new(
        Presets.Phi3Vision128K,
        Presets.Tiny(400),
        Presets.Tiny(400) with
        {
            NumKeyValueHeads = 2,
            NumHiddenLayers = 3,
            Clip = new ClipConfig { HiddenSize = 96, NumAttentionHeads = 3, NumHiddenLayers = 1 },
        });

    [Theory]
    [MemberData(nameof(Configurations))]
    public void It_has_the_names_and_shapes_of_the_models_parameters(Phi3VisionConfig config)
    {
        using var model = new Phi3VisionModel(config, new Device(DeviceType.META));
        Assert.Equal(
            model.named_parameters()
                .Select(pair => $"{pair.name} [{string.Join(",", pair.parameter.shape)}]").Order(StringComparer.Ordinal),
            WeightLayout.Of(config).Select(weight => $"{weight.Name} [{string.Join(",", weight.Shape)}]").Order(StringComparer.Ordinal));
    }

    [Theory]
    [InlineData(ModelPart.VisionTower, 303_507_456)]
    [InlineData(ModelPart.Projector, 22_034_432)]
    [InlineData(ModelPart.Embeddings, 98_500_608)]
    [InlineData(ModelPart.DecoderLayers, 3_624_075_264)]
    [InlineData(ModelPart.FinalNorm, 3_072)]
    [InlineData(ModelPart.Head, 98_500_608)]
    public void The_published_model_has_its_parts(ModelPart part, long parameters) =>
        Assert.Equal(parameters, WeightLayout.Of(Presets.Phi3Vision128K).Where(weight => weight.Part == part).Sum(weight => weight.Count));

    [Fact]
    public void The_published_model_needs_its_memory()
    {
        var memory = new MemoryNeeds(Presets.Phi3Vision128K, 4_146_621_440);
        Assert.Equal(8_293_242_880, memory.WeightsBf16);
        Assert.Equal(16_586_485_760, memory.WeightsFp32);
        Assert.Equal(66_345_943_040, memory.TrainingFp32WithAdamW);
        // 2 · 32 layers · 32 heads · 96 dimensions · 2 bytes a token.
        Assert.Equal(393_216_000, memory.CacheBf16(1000));
        Assert.Equal(786_432_000, memory.CacheFp32(1000));
    }
}
