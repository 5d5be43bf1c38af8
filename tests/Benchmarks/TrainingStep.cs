using FunctionsPipeline.FineTuning;
using FunctionsPipeline.Phi3Vision;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace FunctionsPipeline.Benchmarks;

/// <summary>
/// A step of full fine-tuning as a run takes it: the halves of a batch side by side where there are two threads, AdamW over all
/// parameters, gradients clipped to a norm of 1.
/// </summary>
internal sealed class TrainingStep : IDisposable
{
    private const double LearningRate = 1e-4;
    private const double WeightDecay = 0.01;
    private const double MaxGradNorm = 1;

    private readonly BatchGradient _gradient;
    private readonly TrainingBatch[] _parts;
    private readonly AdamW _optimizer;
    private readonly IReadOnlyList<Parameter> _parameters;

    /// <param name="samples">The batch.</param>
    public TrainingStep(Phi3VisionModel model, IReadOnlyList<(TrainingRow Row, ProcessedImage Image)> samples)
    {
        _parameters = [.. model.parameters()];
        _optimizer = ParameterGroups.Optimizer(model, LearningRate, WeightDecay);
        _gradient = new BatchGradient(model, _parameters, model.Device, samples.Count);
        _parts = [.. samples.Chunk(_gradient.PartSize).Select(part => new TrainingBatch(part, model.Config.PadTokenId))];
    }

    /// <summary>Takes the step.</summary>
    public void Take()
    {
        using var scope = NewDisposeScope();
        _optimizer.zero_grad();
        if (!double.IsFinite(_gradient.Add(_parts))) throw new InvalidOperationException("The loss is not a number.");
        nn.utils.clip_grad_norm_(_parameters, MaxGradNorm);
        _optimizer.step();
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _gradient.Dispose();
        _optimizer.Dispose();
    }
}
