using FunctionsPipeline.Phi3Vision;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace FunctionsPipeline.FineTuning;

/// <summary>
/// The gradient of the mean loss of an optimizer step's labels. A step is computed in parts whose gradients are added up (gradient
/// accumulation), and on a CPU two parts at a time, each with half of the threads: an operator of a small model is too little work to be
/// shared among cores.
/// </summary>
internal sealed class BatchGradient : IDisposable
{
    // And not one for each core: a sum of two does not depend on their order, so that a run can be repeated bit for bit.
    private const int Pair = 2;

    private readonly IReadOnlyList<Parameter> _trained;
    private readonly LoraAdapters? _dropout;
    private readonly AnswerLoss _loss;
    private readonly int _together;
    private readonly int _threads = get_num_threads();

    /// <param name="trained">All that is trained, adapters beside the model too.</param>
    /// <param name="batchSize">Samples of a step.</param>
    /// <param name="microBatchSize">Samples that are in memory at once at most; the whole batch when left out.</param>
    /// <param name="recompute">Computes the activations of each layer again in the backward pass.</param>
    /// <param name="dropout">
    /// Adapters with dropout, whose masks must be told before each part: the parts are then computed one after the other.
    /// </param>
    /// <param name="together">Parts that are computed side by side, 1 or 2; what suits the device when left out.</param>
    public BatchGradient(
        Phi3VisionModel model, IReadOnlyList<Parameter> trained, Device device, int batchSize, int? microBatchSize = null,
        bool recompute = false, LoraAdapters? dropout = null, int? together = null)
    {
        (_trained, _dropout, _loss) = (trained, dropout, new AnswerLoss(model, device, recompute));
        var microBatch = Math.Min(microBatchSize ?? batchSize, batchSize);
        _together = together ?? (dropout is null && device.type == DeviceType.CPU && _threads >= Pair && microBatch >= Pair ? Pair : 1);
        // Evenly: eight and one take as long as five and four, and more memory.
        var parts = (batchSize + microBatch - 1) / microBatch * _together;
        PartSize = (batchSize + parts - 1) / parts;
        Parts = (batchSize + PartSize - 1) / PartSize;
        set_num_threads(Math.Max(1, _threads / _together));
    }

    /// <summary>Parts of a whole batch.</summary>
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
        // Two at once add to what is there in any order, which matters to the last bit unless they begin with nothing.
        using var sum = _together > 1 && parts.Count > _together ? new GradientSum(_trained) : null;
        foreach (var group in parts.Chunk(_together))
        {
            if (_dropout is not null) _dropout.DropoutSeed = seed++;
            loss += AddSideBySide(group, labels);
            if (!double.IsFinite(loss)) return loss;
            sum?.Take();
        }
        sum?.GiveBack();
        return loss;
    }

    /// <summary>Gives the threads back.</summary>
    public void Dispose() => set_num_threads(_threads);

    private double AddSideBySide(TrainingBatch[] parts, long labels)
    {
        // Chunks add to the head's gradient one by one, so that those of two parts would mingle.
        if (parts.Any(_loss.IsChunked)) return parts.Sum(part => _loss.AddGradient(part, labels));
        var others = parts.Skip(1).Select(part => Task.Run(() => _loss.AddGradient(part, labels))).ToArray();
        try
        {
            return _loss.AddGradient(parts[0], labels) + others.Sum(other => other.GetAwaiter().GetResult());
        }
        finally
        {
            // None may go on computing with parameters that the caller is about to change or to free.
            foreach (var other in others) Task.WhenAny(other).GetAwaiter().GetResult();
        }
    }
}
