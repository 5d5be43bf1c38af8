using FunctionsPipeline.Phi3Vision;
using static TorchSharp.torch;

namespace FunctionsPipeline.FineTuning;

/// <summary>
/// Cross-entropy of the answer tokens. Logits are made only where there is a label: the vocabulary is far wider than the hidden state.
/// </summary>
internal static class AnswerLoss
{
    /// <summary>Sum over the batch's labels, in nats, float32, with gradients unless they are switched off.</summary>
    public static Tensor Sum(Phi3VisionModel model, TrainingBatch batch, Device device)
    {
        using var scope = NewDisposeScope();
        var hidden = model.Hidden(batch.Input(device));
        var labelled = hidden.reshape(-1, hidden.shape[^1]).index_select(0, batch.Positions(device));
        var logits = model.Logits(labelled).to(ScalarType.Float32);
        return nn.functional.cross_entropy(logits, batch.Targets(device), reduction: nn.Reduction.Sum).MoveToOuterDisposeScope();
    }
}
