using FunctionsPipeline.Contracts;
using FunctionsPipeline.FineTuning;
using FunctionsPipeline.Phi3Vision;
using static TorchSharp.torch;

namespace FunctionsPipeline.Tests.FineTuning;

public sealed class TrainableParametersTests : IDisposable
{
    private static readonly TrainingSettings Full = new();
    private static readonly TrainingSettings Lora = new() { Method = FineTuningMethod.Lora };

    private readonly Phi3VisionModel _model = new(SmallModel.Config);
    private readonly LoraAdapters _adapters;

    public TrainableParametersTests()
    {
        Initializer.Initialize(_model, seed: 1);
        _adapters = LoraAdapters.Attach(_model, Lora.Lora, seed: 1);
    }

    public void Dispose()
    {
        _adapters.Dispose();
        _model.Dispose();
    }

    [Fact]
    public void Full_trains_everything()
    {
        var trained = TrainableParameters.Select(_model, null, Full);
        Assert.Equal(_model.named_parameters().Select(p => p.name), trained.All.Select(p => p.Name));
        Assert.Empty(trained.WholeParts);
        Assert.All(trained.All, p => Assert.Equal(1e-4, p.PeakRate));
    }

    [Fact]
    public void Full_leaves_frozen_parts_out_and_gives_parts_their_own_rates()
    {
        var settings = Full with { VisionTower = new() { Train = false }, Projector = new() { LearningRate = 0.5 } };
        var trained = TrainableParameters.Select(_model, null, settings).All;
        Assert.DoesNotContain(trained, p => p.Name.Contains("img_processor"));
        Assert.All(trained, p => Assert.Equal(p.Name.Contains("vision_embed_tokens") ? 0.5 : 1e-4, p.PeakRate));
        Assert.Contains(trained, p => p.Name.EndsWith("sub_GN"));
        Assert.Equal(trained.Select(p => p.Name), _model.named_parameters().Where(p => p.parameter.requires_grad).Select(p => p.name));
    }

    [Fact]
    public void Lora_trains_adapters_and_nothing_else()
    {
        var trained = TrainableParameters.Select(_model, _adapters, Lora);
        Assert.Equal(_adapters.Parameters.Select(p => p.Name), trained.All.Select(p => p.Name));
        Assert.All(_model.parameters(), parameter => Assert.False(parameter.requires_grad));
        Assert.All(trained.All, p => Assert.True(p.Decays && p.Parameter.requires_grad));
        Assert.Equal(_adapters.Parameters.Sum(p => p.Parameter.numel()), trained.Count);
    }

    [Fact]
    public void Lora_trains_the_projector_and_the_tower_whole_when_asked_to_but_no_separators()
    {
        var trained = TrainableParameters.Select(
            _model, _adapters, Lora with { VisionTower = new() { Train = true }, Projector = new() { Train = true } });
        Assert.Equal([ModelPart.VisionTower, ModelPart.Projector], trained.WholeParts);
        Assert.Contains(trained.All, p => p.Name.EndsWith("img_projection.0.bias"));
        Assert.Contains(trained.All, p => p.Name.EndsWith("pre_layrnorm.bias"));
        Assert.DoesNotContain(trained.All, p => p.Name.EndsWith("_GN"));
        Assert.False(_model.named_parameters().Single(p => p.name.EndsWith("sub_GN")).parameter.requires_grad);
    }

    [Fact]
    public void An_adapter_has_the_rate_of_its_part()
    {
        using var adapters = LoraAdapters.Attach(_model, new LoraSettings { Projector = true }, seed: 1);
        var trained = TrainableParameters.Select(_model, adapters, Lora with { Projector = new() { LearningRate = 0.5 } }).All;
        Assert.All(trained, p => Assert.Equal(p.Name.Contains("img_projection") ? 0.5 : 1e-4, p.PeakRate));
    }

    [Fact]
    public void What_makes_no_sense_is_refused()
    {
        Assert.Throws<ArgumentException>(() => TrainableParameters.Select(_model, null, Lora));
        Assert.Throws<ArgumentException>(() => TrainableParameters.Select(_model, _adapters, Full));
        using var adapters = LoraAdapters.Attach(_model, new LoraSettings { Projector = true }, seed: 1);
        var error = Assert.Throws<ArgumentException>(
            () => TrainableParameters.Select(_model, adapters, Lora with { Projector = new() { Train = true } }));
        Assert.Contains("img_projection.0 has an adapter", error.Message);
    }

    [Theory]
    [InlineData(ScalarType.Float32)]
    [InlineData(ScalarType.BFloat16)]
    public void What_is_saved_comes_back_bit_for_bit(ScalarType dtype)
    {
        using var scope = NewDisposeScope();
        var path = Path.GetTempFileName();
        using var model = new Phi3VisionModel(SmallModel.Config, dtype: dtype);
        Initializer.Initialize(model, seed: 1);
        using var adapters = LoraAdapters.Attach(model, new LoraSettings { Rank = 2 }, seed: 1);
        var trained = TrainableParameters.Select(model, adapters, Lora with { Projector = new() { Train = true } });
        trained.Save(path);
        var expected = trained.All.Select(p => p.Parameter.clone()).ToList();
        using (no_grad())
            foreach (var p in trained.All) p.Parameter.zero_();
        trained.Load(path);
        Assert.All(trained.All.Zip(expected), pair => Assert.True(pair.First.Parameter.Equals(pair.Second)));

        var other = TrainableParameters.Select(model, adapters, Lora);
        Assert.Contains("img_projection.0.weight: has no place", Assert.Throws<InvalidDataException>(() => other.Load(path)).Message);
        File.Delete(path);
    }
}
