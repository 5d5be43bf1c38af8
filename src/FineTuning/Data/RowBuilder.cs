using FunctionsPipeline.Contracts;
using FunctionsPipeline.Phi3Vision;

namespace FunctionsPipeline.FineTuning;

/// <summary>
/// Lays out token ids as the published fine-tuning recipe does: BOS, the processor's prompt (each of its chunks with a BOS of its own),
/// the answer, <c>&lt;|end|&gt;</c>, newline, <c>&lt;|endoftext|&gt;</c>.
/// </summary>
public sealed class RowBuilder
{
    private const int Image = -1;

    private readonly Tokenizer _tokenizer;
    private readonly AnswerTemplate _answers;
    private readonly int[] _before, _after;

    /// <param name="settings">How the model is asked, and how its answers are written.</param>
    /// <exception cref="FormatException">A template of the settings is none.</exception>
    public RowBuilder(Tokenizer tokenizer, ServingSettings settings)
    {
        _tokenizer = tokenizer;
        _answers = new AnswerTemplate(settings.AnswerTemplate);
        var prompt = PromptBuilder.Build(tokenizer, new PromptTemplate(settings.PromptTemplate).Ask(settings.Question), [1]);
        var image = Array.IndexOf(prompt, Image);
        (_before, _after) = ([tokenizer.BeginOfText, .. prompt[..image]], prompt[(image + 1)..]);
        StopTokens = new HashSet<int> { tokenizer.Id(SpecialTokens.End), tokenizer.Id(SpecialTokens.EndOfText) };
    }

    /// <summary>The ids that a model ends an answer with.</summary>
    public IReadOnlySet<int> StopTokens { get; }

    /// <summary>Everything up to the answer: what generation starts from.</summary>
    /// <param name="imageTokens">Tokens that the image takes.</param>
    public int[] Prompt(int imageTokens) => [.. _before, .. Enumerable.Repeat(Image, imageTokens), .. _after];

    /// <summary>Prompt and answer.</summary>
    /// <param name="imageTokens">Tokens that the image takes.</param>
    public TrainingRow Row(int imageTokens, Answer answer)
    {
        var prompt = Prompt(imageTokens);
        return new TrainingRow([.. prompt, .. Reply(answer)], prompt.Length);
    }

    /// <summary>How many ids <see cref="Row"/> has.</summary>
    /// <param name="imageTokens">Tokens that the image takes.</param>
    public int Length(int imageTokens, Answer answer) => _before.Length + imageTokens + _after.Length + Reply(answer).Length;

    /// <summary>Generated ids as text, without the tokens that end them.</summary>
    public string Decode(IEnumerable<int> answer) => _tokenizer.Decode(answer).Trim();

    /// <summary>What a generated text says; null when it does not follow the answer template.</summary>
    public Answer? Read(string text) => _answers.Read(text);

    private int[] Reply(Answer answer) =>
        _tokenizer.Encode($"{_answers.Write(answer)}{SpecialTokens.End}\n{SpecialTokens.EndOfText}", addBos: false);
}
