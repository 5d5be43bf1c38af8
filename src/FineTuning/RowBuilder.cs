using FunctionsPipeline.Contracts;
using FunctionsPipeline.Phi3Vision;

namespace FunctionsPipeline.FineTuning;

/// <summary>
/// Lays out token ids as the published fine-tuning recipe does: BOS, the processor's prompt (each of its chunks with a BOS of its own),
/// the answer, <c>&lt;|end|&gt;</c>, newline, <c>&lt;|endoftext|&gt;</c>.
/// </summary>
/// <param name="question">What is asked about the image.</param>
public sealed class RowBuilder(Tokenizer tokenizer, string question)
{
    private readonly string _prompt = Prompts.Question(question);
    private readonly int _bos = tokenizer.BeginOfText;

    /// <summary>The ids that a model ends an answer with.</summary>
    public IReadOnlySet<int> StopTokens { get; } =
        new HashSet<int> { tokenizer.Id(SpecialTokens.End), tokenizer.Id(SpecialTokens.EndOfText) };

    /// <summary>Everything up to the answer: what generation starts from.</summary>
    /// <param name="imageTokens">Tokens that the image takes.</param>
    public int[] Prompt(int imageTokens) => [_bos, .. PromptBuilder.Build(tokenizer, _prompt, [imageTokens])];

    /// <summary>Prompt and answer.</summary>
    public TrainingRow Row(int imageTokens, Answer answer)
    {
        var prompt = Prompt(imageTokens);
        var reply = tokenizer.Encode($"{answer}{SpecialTokens.End}\n{SpecialTokens.EndOfText}", addBos: false);
        return new TrainingRow([.. prompt, .. reply], prompt.Length);
    }

    /// <summary>Generated ids as text, without the tokens that end them.</summary>
    public string Decode(IEnumerable<int> answer) => tokenizer.Decode(answer).Trim();
}
