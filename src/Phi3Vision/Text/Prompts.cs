namespace FunctionsPipeline.Phi3Vision;

/// <summary>The texts around a question and its answer.</summary>
public static class Prompts
{
    /// <summary>
    /// A question about one image, ready for <see cref="PromptBuilder"/>. The answer follows it, and <see cref="SpecialTokens.End"/> ends
    /// the answer.
    /// </summary>
    public static string Question(string question) => $"<|user|>\n<|image_1|>{question}<|end|><|assistant|>\n";
}
