using FunctionsPipeline.Contracts;
using FunctionsPipeline.FineTuning.Data;
using FunctionsPipeline.Phi3Vision.Adapters;
using FunctionsPipeline.Phi3Vision.Model;
using FunctionsPipeline.Phi3Vision.Weights;
using TorchSharp;
using static TorchSharp.torch;

namespace FunctionsPipeline.FineTuning.Tests;

/// <summary>Tensors and collections are the process's: no other test runs beside these.</summary>
[CollectionDefinition(nameof(LeakTests), DisableParallelization = true)]
public sealed class LeakCollection;

[Collection(nameof(LeakTests))]
public sealed class LeakTests
{
    [Fact]
    public void A_thousand_steps_and_a_thousand_generations_leave_no_tensor_behind()
    {
        var settings = new TrainingSettings();
        using var model = new Phi3VisionModel(SmallModel.Config);
        Initializer.Initialize(model, seed: 1);
        using var optimizer = new AdamWOptimizer(ParameterSelection.Of(model, null, settings).All, settings.WeightDecay);
        using var gradient = new BatchGradient(model, CPU, batchSize: 1);
        var generator = new TextGenerator(model);
        var (row, images) = NoiseImage.Sample(5);
        // Features of the vision tower are kept: a thousand steps through it would take minutes.
        var features = model.Encode(images[0]);
        var batch = new TrainingBatch([(row, [features])], model.Config.PadTokenId, packing: true);
        var prompt = new TrainingBatch([(row.PromptOnly(), [features])], model.Config.PadTokenId, padLeft: true);
        // Once before, for what is made once: the gradients' own tensors.
        StepAndGenerate();
        GC.Collect();
        GC.WaitForPendingFinalizers();
        var before = Tensor.TotalCount;
        for (var i = 0; i < 1000; i++) StepAndGenerate();
        Assert.Equal(before, Tensor.TotalCount);

        void StepAndGenerate()
        {
            gradient.Add([batch]);
            optimizer.ClipAndStep(settings.MaxGradNorm, factor: 1);
            using var scope = NewDisposeScope();
            generator.Generate(prompt.Input(CPU), new GenerationSettings { MaxTokens = 2 }, CancellationToken.None);
        }
    }
}

/// <summary>Whatever is handed to native code lives as long as the call: a collection in the midst of it changes nothing.</summary>
[Collection(nameof(LeakTests))]
public sealed class CollectionTests
{
    private const int ValidateEvery = 100;

    [Theory]
    [InlineData(FineTuningMethod.Full, 500)]
    [InlineData(FineTuningMethod.Lora, 100)]
    public void Training_is_the_same_beside_a_thread_that_collects_and_finalizes(FineTuningMethod method, int steps)
    {
        var undisturbed = Train(method, steps);
        using var collector = new Collector();
        var disturbed = Train(method, steps);
        Assert.Equal(undisturbed.Numbers, disturbed.Numbers);
        Assert.Equal(undisturbed.Weights.Keys, disturbed.Weights.Keys);
        Assert.All(undisturbed.Weights, pair => Assert.Equal(pair.Value, disturbed.Weights[pair.Key]));
    }

    /// <returns>Losses, norms, tokens and their probabilities, and the bytes of what was trained.</returns>
    private static (List<double> Numbers, Dictionary<string, byte[]> Weights) Train(FineTuningMethod method, int steps)
    {
        var settings = new TrainingSettings
        {
            Method = method,
            Lora = new LoraSettings { Rank = 2, Dropout = 0.1 },
            Projector = new PartSettings { Train = true },
        };
        using var model = new Phi3VisionModel(SmallModel.Config);
        Initializer.Initialize(model, seed: 1);
        using var adapters = method == FineTuningMethod.Lora ? LoraAdapters.Attach(model, settings.Lora, seed: 1) : null;
        var trained = ParameterSelection.Of(model, adapters, settings);
        using var optimizer = new AdamWOptimizer(trained.All, settings.WeightDecay);
        using var gradient = new BatchGradient(model, CPU, batchSize: 1, dropout: adapters);
        var samples = new[] { 5, 6 }.Select(NoiseImage.Sample).ToList();
        var padding = model.Config.PadTokenId;
        // Images that the vision tower has seen: 500 steps through it would take minutes.
        var batches = samples
            .Select(sample => new TrainingBatch([(sample.Row, [model.Encode(sample.Images[0])])], padding, packing: true)).ToList();
        var validation = new TrainingBatch(samples, padding);
        var prompts = new TrainingBatch([.. samples.Select(sample => (sample.Row.PromptOnly(), sample.Images))], padding, padLeft: true);
        List<double> numbers = [];
        var outside = DisposeScopeManager.Statistics.CreatedOutsideScopeCount;
        for (var step = 0; step < steps; step++)
        {
            numbers.Add(gradient.Add([batches[step % 2]], seed: step));
            numbers.Add(optimizer.ClipAndStep(settings.MaxGradNorm, factor: 1 - (double)step / steps));
            if (step % ValidateEvery != 0) continue;
            model.eval();
            numbers.Add(new AnswerLoss(model, CPU).Sum(validation));
            using var scope = NewDisposeScope();
            foreach (var answer in new TextGenerator(model).Generate(prompts.Input(CPU), new GenerationSettings { MaxTokens = 4 }, default))
                numbers.AddRange(answer.Tokens.SelectMany(token => new[] { token.Id, token.LogProbability }));
            model.train();
        }
        // A tensor in no scope may be freed under a call just as a number may.
        Assert.Equal(outside, DisposeScopeManager.Statistics.CreatedOutsideScopeCount);
        using var copies = NewDisposeScope();
        return (numbers, trained.All.ToDictionary(p => p.Name, p => p.Parameter.detach().bytes.ToArray()));
    }

    private sealed class Collector : IDisposable
    {
        private readonly Thread _thread;
        private volatile bool _ended;

        public Collector()
        {
            _thread = new Thread(Run);
            _thread.Start();
        }

        public void Dispose()
        {
            _ended = true;
            _thread.Join();
        }

        private void Run()
        {
            while (!_ended)
            {
                GC.Collect(0);
                GC.WaitForPendingFinalizers();
            }
        }
    }
}
