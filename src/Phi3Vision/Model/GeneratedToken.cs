namespace FunctionsPipeline.Phi3Vision;

/// <summary>A token that was generated.</summary>
/// <param name="Row">Of the batch of prompts.</param>
/// <param name="LogProbability">
/// Natural logarithm of the probability that the model gave the token, before temperature, penalty and filters: at most 0.
/// </param>
public readonly record struct GeneratedToken(int Row, int Id, double LogProbability);

/// <summary>How a prompt was continued.</summary>
/// <param name="Tokens">In order, without the token that ended it.</param>
/// <param name="Stopped">A stop token ended it; otherwise it has <see cref="GenerationSettings.MaxTokens"/>.</param>
public sealed record GeneratedAnswer(IReadOnlyList<GeneratedToken> Tokens, bool Stopped)
{
    /// <summary>The tokens' ids.</summary>
    public IEnumerable<int> Ids => Tokens.Select(token => token.Id);
}
