namespace FunctionsPipeline.FineTuning;

/// <summary>One sample as token ids.</summary>
/// <param name="Ids">Prompt and answer; image k takes its number of tokens as ids -k.</param>
/// <param name="AnswerStart">Index of the first answer token. Only from there on are ids labels; an image id never is.</param>
public sealed record TrainingRow(int[] Ids, int AnswerStart)
{
    /// <summary>In label tensors: no loss here.</summary>
    public const int Ignored = -100;

    /// <summary>The row without its answer: what generation starts from.</summary>
    public TrainingRow PromptOnly() => new(Ids[..AnswerStart], AnswerStart);

    /// <summary>What each position is labelled with: <see cref="Ignored"/> before the answer, the id itself from there on.</summary>
    public int[] Labels()
    {
        var labels = new int[Ids.Length];
        for (var i = 0; i < labels.Length; i++) labels[i] = i < AnswerStart ? Ignored : Ids[i];
        return labels;
    }
}
