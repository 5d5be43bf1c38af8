using FunctionsPipeline.Phi3Vision;
using static TorchSharp.torch;

namespace FunctionsPipeline.FineTuning;

/// <summary>
/// The gradient of the mean loss of an optimizer step's labels, computed in parts whose gradients add up (gradient accumulation).
/// </summary>
internal sealed class BatchGradient
{
    private readonly LoraAdapters? _dropout;
    private readonly AnswerLoss _loss;

    /// <param name="batchSize">Samples of a step.</param>
    /// <param name="microBatchSize">Samples that are in memory at once at most; the whole batch when left out.</param>
    /// <param name="recompute">Computes the activations of each layer again in the backward pass.</param>
    /// <param name="dropout">Adapters with dropout, whose masks are drawn anew for each part.</param>
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

    /// <summary>Parts of a complete batch.</summary>
    public int Parts { get; }

    /// <summary>Samples in a part; the last one may have fewer.</summary>
    public int PartSize { get; }

    /// <summary>Adds a step's gradient to the parameters' own, of which there should be none.</summary>
    /// <param name="parts">The step's samples, at most <see cref="PartSize"/> in each.</param>
    /// <param name="seed">Of the step's dropout masks.</param>
    /// <returns>The mean loss of all labels, in nats. When it is not finite, the gradient is of no use.</returns>
    public double Add(IReadOnlyList<TrainingBatch> parts, long seed = 0)
    {
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
