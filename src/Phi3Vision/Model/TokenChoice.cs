using static TorchSharp.torch;

namespace FunctionsPipeline.Phi3Vision;

/// <summary>Chooses the next token of every row.</summary>
internal abstract class TokenChoice
{
    /// <param name="logits">F32 [B, V].</param>
    /// <returns>A token for each row, with the logarithm of its probability under the logits.</returns>
    public abstract (int Id, double LogProbability)[] Choose(Tensor logits);

    /// <summary>Creates the choice that the settings select.</summary>
    /// <param name="session">Session whose prompts count for the repetition penalty.</param>
    public static TokenChoice Create(GenerationSettings settings, DecodingSession session) =>
        settings is { Temperature: 0, RepetitionPenalty: 1 }
            ? new MostLikely()
            : new RowByRow([.. Enumerable.Range(0, session.Rows).Select(row => new RowSampler(settings, session.PromptIds(row)))]);

    /// <summary>Greedy choice without penalty, on the logits' device: log p = logit - logsumexp(logits).</summary>
    private sealed class MostLikely : TokenChoice
    {
        public override (int Id, double LogProbability)[] Choose(Tensor logits)
        {
            using var scope = NewDisposeScope();
            var ids = logits.argmax(-1, keepdim: true);
            var logProbabilities = (logits.gather(1, ids) - logits.logsumexp(-1, keepdim: true)).cpu().data<float>().ToArray();
            return [.. ids.cpu().data<long>().ToArray().Zip(logProbabilities, (id, value) => ((int)id, (double)value))];
        }
    }

    private sealed class RowByRow(RowSampler[] rows) : TokenChoice
    {
        public override (int Id, double LogProbability)[] Choose(Tensor logits)
        {
            using var scope = NewDisposeScope();
            var values = logits.cpu().contiguous().data<float>().ToArray();
            var width = values.Length / rows.Length;
            return [.. rows.Select((row, i) => row.Choose(values.AsSpan(i * width, width)))];
        }
    }
}
