using FunctionsPipeline.Contracts;
using FunctionsPipeline.FineTuning.Data;
using FunctionsPipeline.Phi3Vision.Model;

namespace FunctionsPipeline.FineTuning.Answers;

/// <summary>Answer of a model to an image.</summary>
/// <param name="Text">The answer's verbatim text.</param>
/// <param name="Read">The parsed text; null when it does not follow the model's answer template.</param>
/// <param name="Generated">The generated tokens with their probabilities.</param>
/// <param name="Confidence">The model's confidence; 1 for an empty answer.</param>
public sealed record PredictedAnswer(string Text, Answer? Read, GeneratedAnswer Generated, Confidence Confidence)
{
    /// <summary>Natural logarithm of the answer's probability: the sum over its tokens.</summary>
    public double LogProbability => Generated.Tokens.Sum(token => token.LogProbability);

    /// <summary>Decodes and parses generated tokens, and rates their text.</summary>
    /// <param name="rows">Builder of the prompt that was answered.</param>
    public static PredictedAnswer Of(GeneratedAnswer generated, RowBuilder rows)
    {
        int[] ids = [.. generated.Ids];
        var text = rows.Decode(ids);
        var fields = rows.FieldIds(ids)
            .ToDictionary(field => field.Key, field => Mean([.. field.Value.Select(i => generated.Tokens[i])]));
        var others = fields.ExceptBy(FieldDefinition.Defaults.Select(field => field.Name), field => field.Key).ToDictionary();
        var confidence = new Confidence(
            Mean(generated.Tokens), Of(FieldDefinition.Title), Of(FieldDefinition.Category), Of(FieldDefinition.Price))
        {
            Fields = others.Count > 0 ? others : null,
        };
        return new PredictedAnswer(text, rows.Read(text), generated, confidence);

        double? Of(string field) => fields.TryGetValue(field, out var mean) ? mean : null;
    }

    // Geometric mean of the probabilities: comparable between texts of different lengths.
    private static double Mean(IReadOnlyList<GeneratedToken> tokens) =>
        tokens.Count == 0 ? 1 : Math.Exp(tokens.Average(token => token.LogProbability));
}
