using System.Collections.Concurrent;
using FunctionsPipeline.FineTuning.Data;
using FunctionsPipeline.Phi3Vision;
using FunctionsPipeline.Phi3Vision.Adapters;
using FunctionsPipeline.Phi3Vision.Model;
using TorchSharp;
using static TorchSharp.torch;

namespace FunctionsPipeline.FineTuning;

/// <summary>
/// Computes the gradient of an optimizer step's mean loss in parts whose gradients add up (gradient accumulation). On a CPU the halves of a
/// batch are computed side by side, each with half of the threads, as the operators of a small model are too little work to be shared.
/// </summary>
internal sealed class BatchGradient : IDisposable
{
    // Two, not one for each core: a sum of two does not depend on their order, so that a run repeats to the bit.
    private const int Pair = 2;

    private readonly LoraAdapters? _dropout;
    private readonly AnswerLoss _loss;
    private readonly int _threads = get_num_threads();
    private readonly ComputeThread? _second;

    /// <param name="batchSize">Number of samples of a step.</param>
    /// <param name="microBatchSize">Maximum number of samples in memory at a time; null for the complete batch.</param>
    /// <param name="recompute">Recomputes the activations of each layer in the backward pass.</param>
    /// <param name="dropout">Adapters with dropout, whose masks are drawn for each part; null for none.</param>
    /// <param name="sideBySide">False to compute on the calling thread alone.</param>
    public BatchGradient(
        Phi3VisionModel model, Device device, int batchSize, int? microBatchSize = null, bool recompute = false,
        LoraAdapters? dropout = null, bool sideBySide = true)
    {
        (_dropout, _loss) = (dropout, new AnswerLoss(model, device, recompute));
        var microBatch = Math.Min(microBatchSize ?? batchSize, batchSize);
        // Not with micro-batches, which save memory, nor with dropout, whose seed is of one part at a time.
        sideBySide &= dropout is null && microBatch == batchSize && batchSize >= Pair && device.type == DeviceType.CPU && _threads >= Pair;
        // Split evenly: 5 + 4 takes as long as 8 + 1 but peaks lower.
        Parts = sideBySide ? Pair : (batchSize + microBatch - 1) / microBatch;
        PartSize = (batchSize + Parts - 1) / Parts;
        if (sideBySide) _second = new ComputeThread("gradient", _threads / Pair);
    }

    /// <summary>Number of parts of a full batch.</summary>
    public int Parts { get; }

    /// <summary>Number of samples of a part; the last part may have fewer.</summary>
    public int PartSize { get; }

    /// <summary>Adds a step's gradient to the parameters' gradients, which should be clear.</summary>
    /// <param name="parts">Samples of the step, at most <see cref="PartSize"/> in each part.</param>
    /// <param name="seed">Seed of the step's dropout masks.</param>
    /// <param name="cancellationToken">Ends the computation between two parts; the gradients are not usable then.</param>
    /// <returns>The mean loss over all labels, in nats. When it is not finite, the gradients are not usable.</returns>
    public double Add(IReadOnlyList<TrainingBatch> parts, long seed = 0, CancellationToken cancellationToken = default)
    {
        // Each part's sum is divided by the labels of all parts, so that the parts' gradients add up to that of the mean over the step.
        var labels = parts.Sum(part => (long)part.Labels);
        // The gradients of chunks are added one by one, and those of two parts would mingle.
        if (_second is not null && parts.Count == Pair && !parts.Any(_loss.IsChunked))
        {
            cancellationToken.ThrowIfCancellationRequested();
            return AddBoth(_second, parts[0], parts[1], labels);
        }
        double loss = 0;
        foreach (var part in parts)
        {
            cancellationToken.ThrowIfCancellationRequested();
            if (_dropout is not null) _dropout.DropoutSeed = seed++;
            loss += _loss.AddGradient(part, labels);
            if (!double.IsFinite(loss)) break;
        }
        return loss;
    }

    /// <inheritdoc/>
    public void Dispose() => _second?.Dispose();

    private double AddBoth(ComputeThread thread, TrainingBatch first, TrainingBatch second, long labels)
    {
        var loss = thread.Run(() => _loss.AddGradient(second, labels));
        set_num_threads(_threads / Pair);
        try
        {
            return _loss.AddGradient(first, labels) + loss.GetAwaiter().GetResult();
        }
        finally
        {
            // Also after a failure: the caller may change or free the parameters. Waits without throwing.
            Task.WhenAny(loss).GetAwaiter().GetResult();
            set_num_threads(_threads);
        }
    }
}

/// <summary>
/// A thread that computes what it is handed, in order. It is kept between steps, as libtorch keeps threads and memory for each thread that
/// calls it.
/// </summary>
internal sealed class ComputeThread : IDisposable
{
    private readonly BlockingCollection<Action> _work = [];

    /// <param name="threads">Number of threads of libtorch that compute for it, itself included.</param>
    public ComputeThread(string name, int threads)
    {
        var thread = new Thread(() =>
        {
            set_num_threads(threads);
            foreach (var work in _work.GetConsumingEnumerable()) work();
            _work.Dispose();
        });
        (thread.IsBackground, thread.Name) = (true, name);
        thread.Start();
    }

    /// <summary>Computes a value on the thread.</summary>
    public Task<T> Run<T>(Func<T> work)
    {
        var task = new Task<T>(work);
        _work.Add(task.RunSynchronously);
        return task;
    }

    /// <summary>Ends the thread after what it was handed.</summary>
    public void Dispose() => _work.CompleteAdding();
}

/// <summary>
/// Cross-entropy of the answer tokens in nats, -Σ log p(label). Logits are computed only at labelled positions and for a limited number of
/// labels at a time: the vocabulary is far wider than the hidden state, and float32 logits with their gradients can take more memory than
/// the rest of a step.
/// </summary>
/// <param name="recompute">Recomputes the activations of each layer in the backward pass: <see cref="ActivationTape"/>.</param>
/// <param name="mostLogits">Maximum number of logits at a time, but at least those of one label.</param>
internal sealed class AnswerLoss(Phi3VisionModel model, Device device, bool recompute = false, long mostLogits = AnswerLoss.MostLogits)
{
    /// <summary>Default maximum number of logits, 134 MB of float32: 1046 labels with the published vocabulary.</summary>
    public const long MostLogits = 1 << 25;

    private readonly long _chunk = Math.Max(1, mostLogits / model.Config.VocabSize);

    /// <summary>True when a batch's logits are computed in more than one chunk.</summary>
    public bool IsChunked(TrainingBatch batch) => batch.Labels > _chunk;

    /// <summary>Computes the sum of the loss over a batch's labels.</summary>
    public double Sum(TrainingBatch batch)
    {
        using var noGradient = no_grad();
        using var scope = NewDisposeScope();
        return OfChunks(Labelled(batch, tape: null), batch.Targets(device), loss => loss.item<float>());
    }

    /// <summary>
    /// Computes the loss over a batch's labels divided by <paramref name="divisor"/> and adds its gradient to the parameters' gradients.
    /// </summary>
    /// <param name="divisor">Divisor of the sum, commonly the number of labels of an optimizer step.</param>
    /// <returns>The divided sum. When it is not finite, the gradients are not usable.</returns>
    public double AddGradient(TrainingBatch batch, long divisor)
    {
        using var scope = NewDisposeScope();
        using var tape = recompute ? new ActivationTape() : null;
        var labelled = Labelled(batch, tape);
        // A leaf that accumulates the chunks' gradients [labels, H], so that one backward pass through the decoder serves all chunks.
        var hidden = labelled.detach().requires_grad_();
        var sum = OfChunks(hidden, batch.Targets(device), loss =>
        {
            var mean = loss.Over(divisor);
            mean.backward();
            return mean.item<float>();
        });
        if (!double.IsFinite(sum) || hidden.grad is not { } gradient) return sum;
        if (tape is not null) tape.Backward(labelled, gradient);
        else if (labelled.requires_grad) labelled.backward([gradient]);
        return sum;
    }

    /// <summary>Computes the hidden states at the positions that predict a label: [labels, H].</summary>
    private Tensor Labelled(TrainingBatch batch, ActivationTape? tape) =>
        model.Hidden(batch.Input(device), tape: tape, positions: batch.Positions(device));

    private double OfChunks(Tensor hidden, Tensor targets, Func<Tensor, float> value)
    {
        double sum = 0;
        for (long start = 0, labels = targets.shape[0]; start < labels; start += _chunk)
        {
            using var scope = NewDisposeScope();
            var count = Math.Min(_chunk, labels - start);
            var logits = model.Logits(hidden.narrow(0, start, count));
            sum += value(nn.functional.cross_entropy(logits, targets.narrow(0, start, count), reduction: nn.Reduction.Sum));
        }
        return sum;
    }
}
