namespace FunctionsPipeline.Phi3Vision.Model;

/// <summary>
/// Settings of the choice of tokens and of the end of an answer. The steps and their order are those of the transformers library:
/// repetition penalty, temperature, top-k, top-p, then a draw. The default takes the most likely token.
/// </summary>
public sealed record GenerationSettings
{
    /// <summary>Maximum number of tokens of an answer, at least 1.</summary>
    public int MaxTokens { get; init; } = 256;

    /// <summary>Tokens that end an answer and are not part of it.</summary>
    public IReadOnlySet<int> StopTokens { get; init; } = new HashSet<int>();

    /// <summary>
    /// Divisor of the logits before a token is drawn; 1 keeps the model's probabilities. 0 takes the most likely token without a draw.
    /// </summary>
    public double Temperature { get; init; }

    /// <summary>Number of most likely tokens to draw from (more when others equal the least likely of them); 0 draws from all.</summary>
    public int TopK { get; init; }

    /// <summary>
    /// Nucleus sampling: draws from the fewest most likely tokens whose probabilities sum to at least this value, above 0; 1 draws from
    /// all.
    /// </summary>
    public double TopP { get; init; } = 1;

    /// <summary>
    /// Seed of the draws: equal seeds and equal logits give equal tokens on every machine. Every row starts from this seed, so that a
    /// prompt gets the same answer in a batch as alone; several answers to one prompt need several seeds.
    /// </summary>
    public int Seed { get; init; }

    /// <summary>
    /// Penalty on tokens that are in the prompt or the answer already: a positive logit is divided by it, a negative one multiplied. Above
    /// 1 makes these tokens less likely, 1 changes nothing. Padding and image positions are left out.
    /// </summary>
    public double RepetitionPenalty { get; init; } = 1;

    /// <summary>
    /// Rules that answers keep to: other tokens are left out before the choice. Null for any answer. Reported probabilities stay those of
    /// the model among all tokens.
    /// </summary>
    public ITokenConstraint? Constraint { get; init; }

    /// <summary>Checks each setting and their combination.</summary>
    /// <exception cref="ArgumentException">A setting is out of range; the message lists every problem.</exception>
    public void Validate()
    {
        var problems = Problems().ToList();
        if (problems.Count > 0) throw new ArgumentException($"Generation cannot be done so: {string.Join("; ", problems)}.");
    }

    private IEnumerable<string> Problems()
    {
        if (MaxTokens < 1) yield return $"MaxTokens is {MaxTokens}, but must be at least 1";
        if (StopTokens.Any(token => token < 0)) yield return $"StopTokens hold {StopTokens.Min()}, but ids are 0 or above";
        if (!(Temperature >= 0 && double.IsFinite(Temperature))) yield return $"Temperature is {Temperature}, but must be 0 or above";
        if (TopK < 0) yield return $"TopK is {TopK}, but must be 0 (all tokens) or above";
        if (!(TopP is > 0 and <= 1)) yield return $"TopP is {TopP}, but must be above 0 and at most 1";
        if (!(RepetitionPenalty > 0 && double.IsFinite(RepetitionPenalty)))
            yield return $"RepetitionPenalty is {RepetitionPenalty}, but must be above 0";
        if (Temperature == 0 && (TopK > 0 || TopP < 1))
            yield return "TopK and TopP choose among drawn tokens, but with Temperature 0 nothing is drawn";
    }
}
