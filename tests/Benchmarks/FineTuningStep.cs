using FunctionsPipeline.Contracts;
using FunctionsPipeline.FineTuning;
using FunctionsPipeline.FineTuning.Data;
using FunctionsPipeline.Phi3Vision.Adapters;
using FunctionsPipeline.Phi3Vision.Config;
using FunctionsPipeline.Phi3Vision.Images;
using FunctionsPipeline.Phi3Vision.Model;
using static TorchSharp.torch;

namespace FunctionsPipeline.Benchmarks;

/// <summary>
/// A step of fine-tuning as a run takes it: packed, AdamW over all that is trained, gradients clipped to a norm of 1.
/// </summary>
internal sealed class FineTuningStep : IDisposable
{
    private readonly TrainingSettings _settings;
    private readonly LoraAdapters? _adapters;
    private readonly BatchGradient _gradient;
    private readonly TrainingBatch[] _parts;
    private readonly AdamWOptimizer _optimizer;

    /// <param name="samples">The batch.</param>
    /// <param name="settings">Full fine-tuning when left out.</param>
    /// <param name="sideBySide">False to compute the batch on one thread of the program.</param>
    public FineTuningStep(
        Phi3VisionModel model, IReadOnlyList<(TrainingRow Row, ProcessedImage Image)> samples, TrainingSettings? settings = null,
        bool sideBySide = true)
    {
        _settings = settings ?? new TrainingSettings();
        _adapters = _settings.Method == FineTuningMethod.Lora ? LoraAdapters.Attach(model, _settings.Lora, _settings.Seed) : null;
        var trained = ParameterSelection.Of(model, _adapters, _settings);
        _optimizer = new AdamWOptimizer(trained.All, _settings.WeightDecay);
        _gradient = new BatchGradient(
            model, model.Device, samples.Count, recompute: _settings.RecomputeActivations, sideBySide: sideBySide);
        _parts = [.. samples.Chunk(_gradient.PartSize)
            .Select(part => new TrainingBatch(
                [.. part.Select(sample => (sample.Row, (IReadOnlyList<ProcessedImage>)[sample.Image]))],
                model.Config.PadTokenId, packing: _settings.Packing))];
        Trained = new TrainedParts(
            _adapters is null, _adapters is null, _adapters is null, _adapters?.Parameters.Sum(adapter => adapter.Parameter.numel()) ?? 0);
    }

    /// <summary>The parts of the model that the step changes.</summary>
    public TrainedParts Trained { get; }

    /// <summary>Size of the step's batch, from which its operations are counted.</summary>
    public StepSize Size => _parts.Select(part => part.Size).Aggregate((a, b) => a + b);

    /// <summary>Takes the step.</summary>
    public void Take()
    {
        using var scope = NewDisposeScope();
        if (!double.IsFinite(_gradient.Add(_parts))) throw new InvalidOperationException("The loss is not a number.");
        _optimizer.ClipAndStep(_settings.MaxGradNorm, factor: 1);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _gradient.Dispose();
        _optimizer.Dispose();
        _adapters?.Dispose();
    }
}
