using FunctionsPipeline.Phi3Vision;
using static TorchSharp.torch;

namespace FunctionsPipeline.FineTuning;

/// <summary>
/// Computes the gradient of an optimizer step's mean loss in parts whose gradients add up (gradient accumulation).
/// </summary>
internal sealed class BatchGradient
{
    private readonly LoraAdapters? _dropout;
    private readonly AnswerLoss _loss;

    /// <param name="batchSize">Number of samples of a step.</param>
    /// <param name="microBatchSize">Maximum number of samples in memory at a time; null for the complete batch.</param>
    /// <param name="recompute">Recomputes the activations of each layer in the backward pass.</param>
    /// <param name="dropout">Adapters with dropout, whose masks are drawn for each part; null for none.</param>
    public BatchGradient(
        Phi3VisionModel model, Device device, int batchSize, int? microBatchSize = null, bool recompute = false,
        LoraAdapters? dropout = null)
    {
        (_dropout, _loss) = (dropout, new AnswerLoss(model, device, recompute));
        var microBatch = Math.Min(microBatchSize ?? batchSize, batchSize);
        // Split evenly: 5 + 4 takes as long as 8 + 1 but peaks lower.
        Parts = (batchSize + microBatch - 1) / microBatch;
        PartSize = (batchSize + Parts - 1) / Parts;
    }

    /// <summary>Number of parts of a full batch.</summary>
    public int Parts { get; }

    /// <summary>Number of samples of a part; the last part may have fewer.</summary>
    public int PartSize { get; }

    /// <summary>Adds a step's gradient to the parameters' gradients, which should be clear.</summary>
    /// <param name="parts">Samples of the step, at most <see cref="PartSize"/> in each part.</param>
    /// <param name="seed">Seed of the step's dropout masks.</param>
    /// <returns>The mean loss over all labels, in nats. When it is not finite, the gradients are not usable.</returns>
    public double Add(IReadOnlyList<TrainingBatch> parts, long seed = 0)
    {
        // Each part's sum is divided by the labels of all parts, so that the parts' gradients add up to that of the mean over the step.
        var labels = parts.Sum(part => (long)part.Labels);
        double loss = 0;
        foreach (var part in parts)
        {
            if (_dropout is not null) _dropout.DropoutSeed = seed++;
            loss += _loss.AddGradient(part, labels);
            if (!double.IsFinite(loss)) break;
        }
        return loss;
    }
}
