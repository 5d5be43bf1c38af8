using FunctionsPipeline.Contracts;
using FunctionsPipeline.Phi3Vision;

namespace FunctionsPipeline.GpuWorker.Serving;

/// <summary>Answer of a model to an image.</summary>
/// <param name="Text">The answer's verbatim text.</param>
/// <param name="Read">The parsed text; null when it does not follow the model's answer template.</param>
/// <param name="Generated">The generated tokens with their probabilities.</param>
public sealed record PredictedAnswer(string Text, Answer? Read, GeneratedAnswer Generated)
{
    /// <summary>Natural logarithm of the answer's probability: the sum over its tokens.</summary>
    public double LogProbability => Generated.Tokens.Sum(token => token.LogProbability);

    /// <summary>
    /// Geometric mean of the tokens' probabilities, from 0 to 1, comparable between answers of different lengths. 1 for an empty answer.
    /// </summary>
    public double Confidence => Generated.Tokens.Count == 0 ? 1 : Math.Exp(LogProbability / Generated.Tokens.Count);
}
