using FunctionsPipeline.Contracts;
using FunctionsPipeline.FineTuning.Data;
using FunctionsPipeline.Images;
using FunctionsPipeline.Phi3Vision;
using FunctionsPipeline.Phi3Vision.Adapters;
using FunctionsPipeline.Phi3Vision.Images;
using FunctionsPipeline.Phi3Vision.Model;
using FunctionsPipeline.Phi3Vision.Weights;
using FunctionsPipeline.Tests;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace FunctionsPipeline.FineTuning.Tests;

public sealed class AdamWOptimizerTests : IDisposable
{
    private const double NoLimit = 1e9;

    private readonly DisposeScope _scope = NewDisposeScope();
    private readonly string _path = Path.GetTempFileName();

    public void Dispose()
    {
        _scope.Dispose();
        File.Delete(_path);
    }

    [Fact]
    public void A_step_is_that_of_AdamW_with_the_rates_of_the_groups_and_no_decay_of_norms()
    {
        var (matrix, norm, tower) = (New("a.weight", [2, 3]), New("norm.weight", [3]), New("b.weight", [2, 3], peak: 0.4));
        using var optimizer = new AdamWOptimizer([matrix, norm, tower], weightDecay: 0.5);
        var expected = new[] { (matrix, 0.05, 0.5), (norm, 0.05, 0), (tower, 0.2, 0.5) }.Select(p =>
        {
            var (trained, rate, decay) = p;
            var copy = new Parameter(trained.Parameter.detach().clone());
            copy.grad = Gradient(trained.Parameter);
            using var plain = optim.AdamW([copy], lr: rate, weight_decay: decay);
            plain.step();
            return copy;
        }).ToList();
        foreach (var p in new[] { matrix, norm, tower }) p.Parameter.grad = Gradient(p.Parameter);
        optimizer.ClipAndStep(NoLimit, factor: 0.5);
        Assert.All(new[] { matrix, norm, tower }.Zip(expected), p => Assert.True(p.First.Parameter.Equals(p.Second), p.First.Name));
    }

    [Theory]
    [InlineData(ScalarType.Float32)]
    [InlineData(ScalarType.BFloat16)]
    public void Gradients_are_clipped_and_cleared_and_their_norm_is_told(ScalarType dtype)
    {
        var (a, b) = (New("a.weight", [1, 1], dtype), New("b.weight", [1, 1], dtype));
        (a.Parameter.grad, b.Parameter.grad) = (full([1, 1], 3, dtype: dtype), full([1, 1], 4, dtype: dtype));
        using var optimizer = new AdamWOptimizer([a, b], weightDecay: 0);
        Assert.Equal(5, optimizer.ClipAndStep(maxNorm: 1, factor: 1), 1e-6);
        Assert.Null(a.Parameter.grad);
        Assert.Equal([0.06f, 0.08f], Moments(optimizer, "exp_avg"), (x, y) => Math.Abs(x - y) < 1e-6);
    }

    [Theory]
    [InlineData(float.NaN)]
    [InlineData(float.PositiveInfinity)]
    public void A_norm_that_is_no_number_takes_no_step(float gradient)
    {
        var (a, b) = (New("a.weight", [2, 2]), New("b.weight", [2, 2]));
        var before = b.Parameter.detach().clone();
        (a.Parameter.grad, b.Parameter.grad) = (full([2, 2], gradient), ones(2, 2));
        using var optimizer = new AdamWOptimizer([a, b], weightDecay: 0.1);
        Assert.False(double.IsFinite(optimizer.ClipAndStep(maxNorm: 1, factor: 1)));
        Assert.True(before.Equals(b.Parameter));
        Assert.Null(b.Parameter.grad);
        Assert.All(Moments(optimizer, "exp_avg"), moment => Assert.Equal(0, moment));
    }

    [Fact]
    public void What_no_gradient_reaches_is_left_as_it_is()
    {
        var (a, b) = (New("a.weight", [2, 2]), New("b.weight", [2, 2], ScalarType.BFloat16));
        var before = (A: a.Parameter.detach().clone(), B: b.Parameter.detach().clone());
        using var optimizer = new AdamWOptimizer([a, b], weightDecay: 0.5);
        Assert.Equal(0, optimizer.ClipAndStep(1, 1));
        a.Parameter.grad = ones(2, 2);
        optimizer.ClipAndStep(1, 1);
        optimizer.ClipAndStep(1, 1);
        Assert.True(before.B.Equals(b.Parameter));
        // One step of decay and of the rate, and not two.
        Assert.True((before.A * 0.95 - 0.1).allclose(a.Parameter));
    }

    [Fact]
    public void Steps_too_small_for_bfloat16_add_up()
    {
        var weight = New("a.weight", [1, 1], ScalarType.BFloat16, peak: 1e-4);
        using (no_grad()) weight.Parameter.fill_(1);
        using var optimizer = new AdamWOptimizer([weight], weightDecay: 0);
        for (var step = 0; step < 100; step++)
        {
            weight.Parameter.grad = ones([1, 1], dtype: ScalarType.BFloat16);
            optimizer.ClipAndStep(NoLimit, factor: 1);
        }
        Assert.Equal(0.99f, weight.Parameter.to(ScalarType.Float32).item<float>(), 0.004f);
        Assert.Equal(ScalarType.BFloat16, weight.Parameter.dtype);
    }

    [Fact]
    public void Parameters_of_both_types_take_one_step_at_a_time()
    {
        var (a, b) = (New("a.weight", [2, 2]), New("b.weight", [2, 2], ScalarType.BFloat16));
        using var optimizer = new AdamWOptimizer([a, b], weightDecay: 0);
        for (var step = 0; step < 3; step++)
        {
            (a.Parameter.grad, b.Parameter.grad) = (ones(2, 2), ones([2, 2], dtype: ScalarType.BFloat16));
            optimizer.ClipAndStep(NoLimit, factor: 1);
        }
        optimizer.Save(_path);
        using var file = SafetensorsFile.Open(_path);
        Assert.Equal(3, file.Read("a.weight.step").item<long>());
        Assert.Equal(3, file.Read("b.weight.step").item<long>());
        Assert.Equal(
            [
                "a.weight.exp_avg", "a.weight.exp_avg_sq", "a.weight.step",
                "b.weight.exp_avg", "b.weight.exp_avg_sq", "b.weight.master", "b.weight.step",
            ],
            file.Entries.Select(entry => entry.Name).Order(StringComparer.Ordinal));
    }

    [Theory]
    [InlineData(ScalarType.Float32)]
    [InlineData(ScalarType.BFloat16)]
    public void Three_steps_are_one_and_two_more_after_a_restart(ScalarType dtype)
    {
        var once = Train(New("a.weight", [4, 5], dtype), null, first: 0, count: 3, save: false);
        var weight = Train(New("a.weight", [4, 5], dtype), null, first: 0, count: 1, save: true);
        Parameter restarted = new(weight.detach().clone());
        var resumed = Train(new OptimizedParameter("a.weight", restarted, 0.1), _path, first: 1, count: 2, save: false);
        Assert.True(once.Equals(resumed));
    }

    [Fact]
    public void A_state_of_other_parameters_is_refused_and_changes_nothing()
    {
        Train(New("a.weight", [4, 5]), null, first: 0, count: 1, save: true);
        using var optimizer = new AdamWOptimizer([New("a.weight", [4, 4]), New("b.weight", [4, 5], ScalarType.BFloat16)], weightDecay: 0);
        var error = Assert.Throws<InvalidDataException>(() => optimizer.Load(_path));
        Assert.Contains("a.weight.exp_avg: is [4, 5], but must be [4, 4]", error.Message);
        Assert.Contains("b.weight.master: missing", error.Message);
    }

    [Fact]
    public void Nothing_but_the_gradients_is_left_to_its_surroundings()
    {
        var weight = New("a.weight", [4, 5], ScalarType.BFloat16);
        var before = _scope.DisposablesCount;
        using var optimizer = new AdamWOptimizer([weight], weightDecay: 0.1);
        optimizer.Save(_path);
        optimizer.Load(_path);
        using (NewDisposeScope()) weight.Parameter.grad = Gradient(weight.Parameter);
        optimizer.ClipAndStep(1, 1);
        Assert.Equal(before, _scope.DisposablesCount);
    }

    private Parameter Train(OptimizedParameter weight, string? state, int first, int count, bool save)
    {
        using var optimizer = new AdamWOptimizer([weight], weightDecay: 0.1);
        if (state is not null) optimizer.Load(state);
        for (var step = first; step < first + count; step++)
        {
            weight.Parameter.grad = Gradient(weight.Parameter) * (step + 1);
            optimizer.ClipAndStep(maxNorm: 2, factor: 1.0 / (step + 1));
        }
        if (save) optimizer.Save(_path);
        return weight.Parameter;
    }

    private float[] Moments(AdamWOptimizer optimizer, string moment)
    {
        optimizer.Save(_path);
        using var file = SafetensorsFile.Open(_path);
        return [.. file.Entries.Where(e => e.Name.EndsWith("." + moment)).SelectMany(e => file.Read(e.Name).data<float>().ToArray())];
    }

    private static OptimizedParameter New(string name, long[] shape, ScalarType dtype = ScalarType.Float32, double peak = 0.1) =>
        new(name, new Parameter((arange(1, shape.Aggregate((a, b) => a * b) + 1).to(ScalarType.Float32).view(shape) / 7).to(dtype)), peak);

    private static Tensor Gradient(Tensor parameter) => parameter.detach().to(ScalarType.Float32).sin().to(parameter.dtype);
}

/// <summary>Training as recorded from the published model code: three AdamW steps on one image, of all weights and of adapters.</summary>
public sealed class GoldenStepsTests
{
    private static readonly TrainingSettings Settings = new() { LearningRate = 1e-3, WeightDecay = 0.01 };

    [TestDataFact("golden/model/adamw-3-steps")]
    public void Three_steps_have_the_recorded_losses()
    {
        using var model = GoldenModel();
        var losses = Losses(model, ParameterSelection.Of(model, null, Settings));
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
        var losses = Losses(model, ParameterSelection.Of(model, adapters, Settings with { Method = FineTuningMethod.Lora }));
        Assert.Equal(Recorded("lora-3-steps"), losses, (a, b) => Math.Abs(a - b) < 1e-4);
        using var final = SafetensorsFile.Open(Path.Combine(folder, "adapter_final", PeftFolder.FileName));
        Assert.All(adapters.Parameters, pair => Assert.True(
            (final.Read("base_model.model." + pair.Name) - pair.Parameter).abs().max().item<float>() < 5e-5, pair.Name));
    }

    private static List<float> Losses(Phi3VisionModel model, ParameterSelection trained)
    {
        using var scope = NewDisposeScope();
        var folder = TestData.Path("golden/model/tiny-image");
        using var recorded = SafetensorsFile.Open(Path.Combine(folder, "io.safetensors"));
        var labels = Integers(recorded.Read("labels"));
        var row = new TrainingRow(Integers(recorded.Read("input_ids")), Array.FindIndex(labels, label => label != TrainingRow.Ignored));
        Assert.Equal(labels, row.Labels());
        using var image = ImageReader.Read(File.ReadAllBytes(Path.Combine(folder, "image_1.png")));
        var batch = new TrainingBatch([(row, [new ImageProcessor(numCrops: 1).Process(image)])], model.Config.PadTokenId);

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
