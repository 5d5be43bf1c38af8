using FunctionsPipeline.Contracts;
using FunctionsPipeline.FineTuning;
using FunctionsPipeline.Images;
using FunctionsPipeline.Phi3Vision;
using static TorchSharp.torch;

namespace FunctionsPipeline.Tests.FineTuning;

/// <summary>Training as recorded from the published model code: three AdamW steps on one picture, of all weights and of adapters.</summary>
public sealed class GoldenStepsTests
{
    private static readonly TrainingSettings Settings = new() { LearningRate = 1e-3, WeightDecay = 0.01 };

    [TestDataFact("golden/model/adamw-3-steps")]
    public void Three_steps_have_the_recorded_losses()
    {
        using var model = GoldenModel();
        var losses = Losses(model, TrainableParameters.Select(model, null, Settings));
        var expected = Recorded("adamw-3-steps");
        Assert.Equal(expected[0], losses[0], 1e-4f);
        // The recording also decays norms and biases, by a hundred-thousandth a step.
        Assert.Equal(expected, losses, (a, b) => Math.Abs(a - b) < 1e-3);
    }

    [TestDataFact("golden/model/lora-3-steps")]
    public void Three_steps_of_adapters_have_the_recorded_losses_and_results()
    {
        using var scope = NewDisposeScope();
        var folder = TestData.Path("golden/model/lora-3-steps");
        using var model = GoldenModel();
        using var adapters = PeftFolder.Load(Path.Combine(folder, "adapter_init"), model);
        var losses = Losses(model, TrainableParameters.Select(model, adapters, Settings with { Method = FineTuningMethod.Lora }));
        Assert.Equal(Recorded("lora-3-steps"), losses, (a, b) => Math.Abs(a - b) < 1e-4);
        using var final = SafetensorsFile.Open(Path.Combine(folder, "adapter_final", PeftFolder.FileName));
        Assert.All(adapters.Parameters, pair => Assert.True(
            (final.Read("base_model.model." + pair.Name) - pair.Parameter).abs().max().item<float>() < 5e-5, pair.Name));
    }

    private static List<float> Losses(Phi3VisionModel model, TrainableParameters trained)
    {
        using var scope = NewDisposeScope();
        var folder = TestData.Path("golden/model/tiny-image");
        using var recorded = SafetensorsFile.Open(Path.Combine(folder, "io.safetensors"));
        var labels = Integers(recorded.Read("labels"));
        var row = new TrainingRow(Integers(recorded.Read("input_ids")), Array.FindIndex(labels, label => label != TrainingRow.Ignored));
        Assert.Equal(labels, row.Labels());
        using var picture = ImageReader.Read(File.ReadAllBytes(Path.Combine(folder, "image_1.png")));
        var batch = new TrainingBatch([(row, new ImageProcessor(numCrops: 1).Process(picture))], model.Config.PadTokenId);

        using var optimizer = new AdamWOptimizer(trained.All, Settings.WeightDecay);
        var loss = new AnswerLoss(model, CPU);
        var losses = new List<float>();
        while (true)
        {
            using var step = NewDisposeScope();
            losses.Add((float)loss.AddGradient(batch, batch.Labels));
            if (losses.Count > 3) return losses;
            optimizer.ClipAndStep(maxNorm: 1e9, factor: 1);
        }
    }

    private static float[] Recorded(string name)
    {
        using var scope = NewDisposeScope();
        using var steps = SafetensorsFile.Open(Path.Combine(TestData.Path("golden/model/" + name), "io.safetensors"));
        return steps.Read("losses").data<float>().ToArray();
    }

    private static Phi3VisionModel GoldenModel() =>
        ModelFolder.LoadModel(TestData.Path("golden/model/tiny-image"), CPU, ScalarType.Float32);

    private static int[] Integers(Tensor tensor) => [.. tensor.data<long>().ToArray().Select(value => (int)value)];
}
