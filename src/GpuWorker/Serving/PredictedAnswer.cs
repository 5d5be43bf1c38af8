using FunctionsPipeline.Contracts;
using FunctionsPipeline.Phi3Vision;

namespace FunctionsPipeline.GpuWorker.Serving;

/// <summary>What a model answered about an image.</summary>
/// <param name="Text">Word for word.</param>
/// <param name="Read">What the text says; null when it does not follow the model's answer template.</param>
/// <param name="Generated">The tokens behind it.</param>
public sealed record PredictedAnswer(string Text, Answer? Read, GeneratedAnswer Generated)
{
    /// <summary>Natural logarithm of the probability that the model gives the answer's tokens, one after the other.</summary>
    public double LogProbability => Generated.Tokens.Sum(token => token.LogProbability);

    /// <summary>
    /// Geometric mean of the tokens' probabilities, 0 to 1: comparable between answers of different lengths. 1 for an empty answer.
    /// </summary>
    public double Confidence => Generated.Tokens.Count == 0 ? 1 : Math.Exp(LogProbability / Generated.Tokens.Count);
}
