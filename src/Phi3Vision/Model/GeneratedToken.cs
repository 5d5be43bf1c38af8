namespace FunctionsPipeline.Phi3Vision;

/// <summary>A generated token.</summary>
/// <param name="Row">Index of the prompt in the batch.</param>
/// <param name="Id">Id of the token.</param>
/// <param name="LogProbability">
/// Natural logarithm of the model's probability of the token, before penalty, temperature and filters: at most 0.
/// </param>
public readonly record struct GeneratedToken(int Row, int Id, double LogProbability);

/// <summary>The generated continuation of a prompt.</summary>
/// <param name="Tokens">Tokens in order, without the stop token.</param>
/// <param name="Stopped">True when a stop token ended the answer, false when <see cref="GenerationSettings.MaxTokens"/> did.</param>
public sealed record GeneratedAnswer(IReadOnlyList<GeneratedToken> Tokens, bool Stopped)
{
    /// <summary>Ids of the tokens, in order.</summary>
    public IEnumerable<int> Ids => Tokens.Select(token => token.Id);
}
