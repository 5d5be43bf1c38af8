using FunctionsPipeline.Contracts;
using FunctionsPipeline.FineTuning;
using FunctionsPipeline.Phi3Vision;
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
    private readonly AdamWOptimizer _optimizer;

    /// <param name="samples">The batch.</param>
    /// <param name="packing">Lays the samples end to end in place of filling them.</param>
    public TrainingStep(Phi3VisionModel model, IReadOnlyList<(TrainingRow Row, ProcessedImage Image)> samples, bool packing = true)
    {
        var trained = TrainableParameters.Select(model, adapters: null, new TrainingSettings { LearningRate = LearningRate });
        _optimizer = new AdamWOptimizer(trained.All, WeightDecay);
        _gradient = new BatchGradient(model, [.. trained.All.Select(one => one.Parameter)], model.Device, samples.Count);
        _parts = [.. samples.Chunk(_gradient.PartSize).Select(part => new TrainingBatch(part, model.Config.PadTokenId, packing: packing))];
    }

    /// <summary>Takes the step.</summary>
    public void Take()
    {
        using var scope = NewDisposeScope();
        if (!double.IsFinite(_gradient.Add(_parts))) throw new InvalidOperationException("The loss is not a number.");
        _optimizer.ClipAndStep(MaxGradNorm, factor: 1);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _gradient.Dispose();
        _optimizer.Dispose();
    }
}
