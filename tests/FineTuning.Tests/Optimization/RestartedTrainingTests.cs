using FunctionsPipeline.Contracts;
using FunctionsPipeline.FineTuning;
using FunctionsPipeline.Phi3Vision;
using static TorchSharp.torch;

namespace FunctionsPipeline.Tests.FineTuning;

/// <summary>What a checkpoint holds of the weights is enough to go on as if nothing had happened.</summary>
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
        var trained = TrainableParameters.Select(model, adapters, settings);
        var (weights, state) = (Path.Combine(_folder, "trainable.safetensors"), Path.Combine(_folder, "optimizer.safetensors"));
        if (first > 0) trained.Load(weights);
        using var optimizer = new AdamWOptimizer(trained.All, settings.WeightDecay);
        if (first > 0) optimizer.Load(state);
        losses = [.. Enumerable.Range(first, end - first).Select(step => Step(model, adapters, optimizer, settings, step))];
        trained.Save(weights);
        optimizer.Save(state);
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
