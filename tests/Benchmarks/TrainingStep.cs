using FunctionsPipeline.FineTuning;
using FunctionsPipeline.Phi3Vision;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace FunctionsPipeline.Benchmarks;

/// <summary>A step of full fine-tuning as a run takes it: AdamW over all parameters, gradients clipped to a norm of 1.</summary>
internal sealed class TrainingStep : IDisposable
{
    private const double LearningRate = 1e-4;
    private const double WeightDecay = 0.01;
    private const double MaxGradNorm = 1;

    private readonly Phi3VisionModel _model;
    private readonly TrainingBatch _batch;
    private readonly AdamW _optimizer;
    private readonly IReadOnlyList<Parameter> _parameters;

    public TrainingStep(Phi3VisionModel model, TrainingBatch batch)
    {
        (_model, _batch) = (model, batch);
        _parameters = [.. model.parameters()];
        _optimizer = ParameterGroups.Optimizer(model, LearningRate, WeightDecay);
    }

    /// <summary>Takes the step.</summary>
    public void Take()
    {
        using var scope = NewDisposeScope();
        _optimizer.zero_grad();
        var loss = AnswerLoss.Sum(_model, _batch, _model.Device) / _batch.Labels;
        if (!float.IsFinite(loss.item<float>())) throw new InvalidOperationException("The loss is not a number.");
        loss.backward();
        nn.utils.clip_grad_norm_(_parameters, MaxGradNorm);
        _optimizer.step();
    }

    /// <inheritdoc/>
    public void Dispose() => _optimizer.Dispose();
}
