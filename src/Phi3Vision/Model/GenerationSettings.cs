namespace FunctionsPipeline.Phi3Vision;

/// <summary>
/// How tokens are chosen and when an answer ends. The steps and their order are those of the transformers library: repetition penalty,
/// temperature, top-k, top-p, then a draw. The default takes the most likely token.
/// </summary>
public sealed record GenerationSettings
{
    /// <summary>Tokens of an answer at most, 1 or more.</summary>
    public int MaxTokens { get; init; } = 256;

    /// <summary>Tokens that end an answer; they are not part of it.</summary>
    public IReadOnlySet<int> StopTokens { get; init; } = new HashSet<int>();

    /// <summary>
    /// 0 always takes the most likely token. Above, logits are divided by it and a token is drawn; 1 leaves the model's probabilities.
    /// </summary>
    public double Temperature { get; init; }

    /// <summary>Draws from this many of the most likely tokens (more when the last ones are equally likely); 0 from all.</summary>
    public int TopK { get; init; }

    /// <summary>Draws from the fewest of the most likely tokens whose probabilities add up to this, above 0; 1 from all.</summary>
    public double TopP { get; init; } = 1;

    /// <summary>
    /// The same seed draws the same tokens on every machine whose logits are the same. Every row starts from it, so that a prompt continues
    /// beside others as it does alone; for several answers to one prompt take several seeds.
    /// </summary>
    public int Seed { get; init; }

    /// <summary>
    /// Above 1 makes tokens less likely that are in the prompt or the answer already: a positive logit is divided by it, a negative one
    /// multiplied. 1 changes nothing. Padding and the positions of images do not count.
    /// </summary>
    public double RepetitionPenalty { get; init; } = 1;

    /// <summary>Checks that the settings make sense together.</summary>
    /// <exception cref="ArgumentException">Lists every problem.</exception>
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
