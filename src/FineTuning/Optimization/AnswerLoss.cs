using FunctionsPipeline.Phi3Vision;
using static TorchSharp.torch;

namespace FunctionsPipeline.FineTuning;

/// <summary>
/// Cross-entropy of the answer tokens, in nats. Logits are made only where there is a label, and of a limited number of labels at once: the
/// vocabulary is far wider than the hidden state, and float32 logits with their gradients can take more memory than the rest of a step.
/// </summary>
/// <param name="recompute">Computes the activations of each layer again in the backward pass: <see cref="ActivationTape"/>.</param>
/// <param name="mostLogits">Logits that are made at once at most, but those of one label at least.</param>
internal sealed class AnswerLoss(Phi3VisionModel model, Device device, bool recompute = false, long mostLogits = AnswerLoss.MostLogits)
{
    /// <summary>134 MB of float32: 1046 labels with the published vocabulary.</summary>
    public const long MostLogits = 1 << 25;

    private readonly long _chunk = Math.Max(1, mostLogits / model.Config.VocabSize);

    /// <summary>The sum over a batch's labels.</summary>
    public double Sum(TrainingBatch batch)
    {
        using var noGradient = no_grad();
        using var scope = NewDisposeScope();
        return OfChunks(Labelled(batch, tape: null), batch.Targets(device), loss => loss.item<float>());
    }

    /// <summary>
    /// Adds to the parameters' gradients that of the sum over a batch's labels divided by a number, commonly of all labels of an optimizer step.
    /// </summary>
    /// <returns>What the gradient is of. When it is not finite, the gradient is of no use.</returns>
    public double AddGradient(TrainingBatch batch, long divisor)
    {
        using var scope = NewDisposeScope();
        using var tape = recompute ? new ActivationTape() : null;
        var labelled = Labelled(batch, tape);
        // The chunks' gradients meet here, so that what is below is gone through once.
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

    /// <summary>The hidden states that predict a label: [labels, H].</summary>
    private Tensor Labelled(TrainingBatch batch, ActivationTape? tape)
    {
        var hidden = model.Hidden(batch.Input(device), tape: tape);
        return hidden.flatten(0, 1).index_select(0, batch.Positions(device));
    }

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
