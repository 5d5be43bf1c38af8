namespace FunctionsPipeline.FineTuning;

/// <summary>One sample as token ids.</summary>
/// <param name="Ids">Ids of prompt and answer; image k takes its number of tokens as ids -k.</param>
/// <param name="AnswerStart">Index of the first answer token. Ids from there on are labels; image ids are never among them.</param>
public sealed record TrainingRow(int[] Ids, int AnswerStart)
{
    /// <summary>Label of positions without loss.</summary>
    public const int Ignored = -100;

    /// <summary>Returns the row without its answer, the start of generation.</summary>
    public TrainingRow PromptOnly() => new(Ids[..AnswerStart], AnswerStart);

    /// <summary>Returns the label of each position: <see cref="Ignored"/> before the answer, the position's id from there on.</summary>
    public int[] Labels()
    {
        var labels = new int[Ids.Length];
        for (var i = 0; i < labels.Length; i++) labels[i] = i < AnswerStart ? Ignored : Ids[i];
        return labels;
    }
}
