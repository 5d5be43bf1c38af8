using FunctionsPipeline.FineTuning;
using FunctionsPipeline.Images;
using FunctionsPipeline.Phi3Vision;
using static TorchSharp.torch;

namespace FunctionsPipeline.Tests.FineTuning;

/// <summary>Training as recorded from the published model code: three AdamW steps on one picture.</summary>
public sealed class GoldenStepsTests
{
    [TestDataFact("golden/model/adamw-3-steps")]
    public void Three_steps_have_the_recorded_losses()
    {
        using var scope = NewDisposeScope();
        var folder = TestData.Path("golden/model/tiny-image");
        var config = Phi3VisionConfig.Load(folder);
        using var model = GoldenModel(folder, config);
        using var recorded = SafetensorsFile.Open(Path.Combine(folder, "io.safetensors"));
        var labels = Integers(recorded.Read("labels"));
        var row = new TrainingRow(Integers(recorded.Read("input_ids")), Array.FindIndex(labels, label => label != TrainingRow.Ignored));
        Assert.Equal(labels, row.Labels());
        using var picture = ImageReader.Read(File.ReadAllBytes(Path.Combine(folder, "image_1.png")));
        var batch = new TrainingBatch([(row, new ImageProcessor(numCrops: 1).Process(picture))], config.PadTokenId);

        using var optimizer = ParameterGroups.Optimizer(model, learningRate: 1e-3, weightDecay: 0.01);
        var losses = new List<float>();
        for (var step = 0; ; step++)
        {
            using var stepScope = NewDisposeScope();
            optimizer.zero_grad();
            losses.Add((float)new AnswerLoss(model, CPU).AddGradient(batch, batch.Labels));
            if (step == 3) break;
            optimizer.step();
        }
        using var steps = SafetensorsFile.Open(Path.Combine(TestData.Path("golden/model/adamw-3-steps"), "io.safetensors"));
        var expected = steps.Read("losses").data<float>().ToArray();
        Assert.Equal(expected[0], losses[0], 1e-4f);
        // The recording also decays norms and biases, by a hundred-thousandth a step.
        Assert.Equal(expected, losses, (a, b) => Math.Abs(a - b) < 1e-3);
    }

    private static Phi3VisionModel GoldenModel(string folder, Phi3VisionConfig config)
    {
        var model = new Phi3VisionModel(config);
        using var weights = SafetensorsFile.Open(Path.Combine(folder, "model.safetensors"));
        using var noGradient = no_grad();
        foreach (var (name, parameter) in model.named_parameters()) parameter.copy_(weights.Read(name));
        return model;
    }

    private static int[] Integers(Tensor tensor) => [.. tensor.data<long>().ToArray().Select(value => (int)value)];
}
