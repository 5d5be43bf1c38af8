using FunctionsPipeline.Contracts;
using FunctionsPipeline.FineTuning;
using FunctionsPipeline.Phi3Vision;
using static TorchSharp.torch;

namespace FunctionsPipeline.Tests.FineTuning;

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
        using var optimizer = new AdamWOptimizer(TrainableParameters.Select(model, null, settings).All, settings.WeightDecay);
        var gradient = new BatchGradient(model, CPU, batchSize: 1);
        var generator = new TextGenerator(model);
        var (row, image) = NoisePicture.Sample(5);
        // Features of the vision tower are kept: a thousand steps through it would take minutes.
        var features = model.Encode(image);
        var batch = new TrainingBatch([(row, features)], model.Config.PadTokenId, packing: true);
        var prompt = new TrainingBatch([(row.PromptOnly(), features)], model.Config.PadTokenId, padLeft: true);
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
