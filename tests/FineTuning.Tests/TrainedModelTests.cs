using FunctionsPipeline.Contracts;
using FunctionsPipeline.Phi3Vision.Adapters;
using FunctionsPipeline.Phi3Vision.Config;
using FunctionsPipeline.Phi3Vision.Model;
using FunctionsPipeline.Phi3Vision.Weights;
using static TorchSharp.torch;

namespace FunctionsPipeline.FineTuning.Tests;

public sealed class ParameterSelectionTests : IDisposable
{
    private static readonly TrainingSettings Full = new();
    private static readonly TrainingSettings Lora = new() { Method = FineTuningMethod.Lora };

    private readonly Phi3VisionModel _model = new(SmallModel.Config);
    private readonly LoraAdapters _adapters;

    public ParameterSelectionTests()
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
        var trained = ParameterSelection.Of(_model, null, Full);
        Assert.Equal(_model.named_parameters().Select(p => p.name), trained.All.Select(p => p.Name));
        Assert.Empty(trained.WholeParts);
        Assert.All(trained.All, p => Assert.Equal(1e-4, p.PeakRate));
    }

    [Fact]
    public void Full_leaves_frozen_parts_out_and_gives_parts_their_own_rates()
    {
        var settings = Full with { VisionTower = new() { Train = false }, Projector = new() { LearningRate = 0.5 } };
        var trained = ParameterSelection.Of(_model, null, settings).All;
        Assert.DoesNotContain(trained, p => p.Name.Contains("img_processor"));
        Assert.All(trained, p => Assert.Equal(p.Name.Contains("vision_embed_tokens") ? 0.5 : 1e-4, p.PeakRate));
        Assert.Contains(trained, p => p.Name.EndsWith("sub_GN"));
        Assert.Equal(trained.Select(p => p.Name), _model.named_parameters().Where(p => p.parameter.requires_grad).Select(p => p.name));
    }

    [Fact]
    public void Lora_trains_adapters_and_nothing_else()
    {
        var trained = ParameterSelection.Of(_model, _adapters, Lora);
        Assert.Equal(_adapters.Parameters.Select(p => p.Name), trained.All.Select(p => p.Name));
        Assert.All(_model.parameters(), parameter => Assert.False(parameter.requires_grad));
        Assert.All(trained.All, p => Assert.True(p.Decays && p.Parameter.requires_grad));
        Assert.Equal(_adapters.Parameters.Sum(p => p.Parameter.numel()), trained.Count);
    }

    [Fact]
    public void Lora_trains_the_projector_and_the_tower_whole_when_asked_to_but_no_separators()
    {
        var trained = ParameterSelection.Of(
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
        var trained = ParameterSelection.Of(_model, adapters, Lora with { Projector = new() { LearningRate = 0.5 } }).All;
        Assert.All(trained, p => Assert.Equal(p.Name.Contains("img_projection") ? 0.5 : 1e-4, p.PeakRate));
    }

    [Fact]
    public void What_makes_no_sense_is_refused()
    {
        Assert.Throws<ArgumentException>(() => ParameterSelection.Of(_model, null, Lora));
        Assert.Throws<ArgumentException>(() => ParameterSelection.Of(_model, _adapters, Full));
        using var adapters = LoraAdapters.Attach(_model, new LoraSettings { Projector = true }, seed: 1);
        var error = Assert.Throws<ArgumentException>(
            () => ParameterSelection.Of(_model, adapters, Lora with { Projector = new() { Train = true } }));
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
        var trained = ParameterSelection.Of(model, adapters, Lora with { Projector = new() { Train = true } });
        trained.Save(path);
        var expected = trained.All.Select(p => p.Parameter.clone()).ToList();
        using (no_grad())
            foreach (var p in trained.All) p.Parameter.zero_();
        trained.Load(path);
        Assert.All(trained.All.Zip(expected), pair => Assert.True(pair.First.Parameter.Equals(pair.Second)));

        var other = ParameterSelection.Of(model, adapters, Lora);
        Assert.Contains("img_projection.0.weight: has no place", Assert.Throws<InvalidDataException>(() => other.Load(path)).Message);
        File.Delete(path);
    }
}

/// <summary>The weights and the optimizer's state of a checkpoint are enough to resume as if nothing had happened.</summary>
public sealed class RestartedTrainingTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("restart").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Theory]
    [InlineData(FineTuningMethod.Full)]
    [InlineData(FineTuningMethod.Lora)]
    public void Three_steps_are_one_and_two_more_in_new_objects(FineTuningMethod method)
    {
        var settings = new TrainingSettings
        {
            Method = method,
            LearningRate = 1e-2,
            Lora = new LoraSettings { Rank = 2, Dropout = 0.2 },
            Projector = new PartSettings { Train = true, LearningRate = 1e-3 },
        };
        var whole = Train(settings, first: 0, end: 3, out var firstLosses);
        Train(settings, first: 0, end: 1, out _);
        var resumed = Train(settings, first: 1, end: 3, out var losses);
        Assert.Equal(firstLosses[1..], losses);
        Assert.Equal(whole.Keys, resumed.Keys);
        Assert.All(whole, pair => Assert.Equal(pair.Value, resumed[pair.Key]));
    }

    private Dictionary<string, byte[]> Train(TrainingSettings settings, int first, int end, out float[] losses)
    {
        using var model = new Phi3VisionModel(SmallModel.Config);
        Initializer.Initialize(model, seed: 1);
        // Drawn otherwise the second time: what counts is what was saved.
        using var adapters = settings.Method == FineTuningMethod.Lora ? LoraAdapters.Attach(model, settings.Lora, seed: first) : null;
        var trained = ParameterSelection.Of(model, adapters, settings);
        var (weights, state) = (Path.Combine(_folder, "trainable.safetensors"), Path.Combine(_folder, "optimizer.safetensors"));
        if (first > 0) trained.Load(weights);
        using var optimizer = new AdamWOptimizer(trained.All, settings.WeightDecay);
        if (first > 0) optimizer.Load(state);
        losses = [.. Enumerable.Range(first, end - first).Select(step => Step(model, adapters, optimizer, settings, step))];
        trained.Save(weights);
        optimizer.Save(state);
        // The rest are the headers.
        var written = new FileInfo(weights).Length + new FileInfo(state).Length;
        Assert.InRange(written - trained.Bytes - optimizer.Bytes, 1, 100_000);
        return trained.All.ToDictionary(p => p.Name, p => p.Parameter.detach().bytes.ToArray());
    }

    private static float Step(
        Phi3VisionModel model, LoraAdapters? adapters, AdamWOptimizer optimizer, TrainingSettings settings, int step)
    {
        using var scope = NewDisposeScope();
        if (adapters is not null) adapters.DropoutSeed = step;
        var ids = arange(1, 20).remainder(7 + step).view(1, -1);
        var logits = model.forward(new ModelInput(ids));
        var loss = nn.functional.cross_entropy(logits.squeeze(0).narrow(0, 0, 18), ids.squeeze(0).narrow(0, 1, 18));
        loss.backward();
        optimizer.ClipAndStep(settings.MaxGradNorm, factor: 1 - 0.2 * step);
        return loss.item<float>();
    }
}
