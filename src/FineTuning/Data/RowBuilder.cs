using System.Collections.Concurrent;
using FunctionsPipeline.Contracts;
using FunctionsPipeline.Phi3Vision.Text;

namespace FunctionsPipeline.FineTuning.Data;

/// <summary>
/// Builds rows of token ids as in the published fine-tuning recipe: BOS, the processor's prompt (each of whose chunks has its own BOS), the
/// answer, <c>&lt;|end|&gt;</c>, newline, <c>&lt;|endoftext|&gt;</c>.
/// </summary>
public sealed class RowBuilder
{
    private readonly Tokenizer _tokenizer;
    private readonly PromptTemplate _prompts;
    private readonly string _question;

    // Prompts by their number of images, with one id for each image.
    private readonly ConcurrentDictionary<int, int[]> _layouts = new();

    /// <param name="settings">Question and templates of prompt and answer.</param>
    /// <exception cref="FormatException">A template of the settings is not valid.</exception>
    public RowBuilder(Tokenizer tokenizer, ServingSettings settings)
    {
        _tokenizer = tokenizer;
        Answers = settings.ToAnswerTemplate();
        MaxAnswerTokens = settings.MaxAnswerTokens;
        _prompts = new PromptTemplate(settings.PromptTemplate);
        _question = settings.Question;
        StopTokens = new HashSet<int> { tokenizer.Id(SpecialTokens.End), tokenizer.Id(SpecialTokens.EndOfText) };
    }

    /// <summary>Template of the answers.</summary>
    public AnswerTemplate Answers { get; }

    /// <summary>Maximum number of ids of a generated answer.</summary>
    public int MaxAnswerTokens { get; }

    /// <summary>Ids that end an answer.</summary>
    public IReadOnlySet<int> StopTokens { get; }

    /// <summary>Builds the ids of a prompt with one image up to the answer, the start of generation.</summary>
    /// <param name="imageTokens">Number of tokens of the image.</param>
    /// <param name="question">Question in place of the one in the settings, without a tag of an image.</param>
    public int[] Prompt(int imageTokens, string? question = null) => Prompt([imageTokens], question);

    /// <summary>Builds the ids of a prompt with several images up to the answer.</summary>
    /// <param name="imageTokens">Number of tokens of each image, at least one.</param>
    /// <inheritdoc cref="Prompt(int, string?)"/>
    public int[] Prompt(IReadOnlyList<int> imageTokens, string? question = null)
    {
        var layout = question is null ? Layout(imageTokens.Count) : Layout(imageTokens.Count, question);
        return [.. layout.SelectMany(id => id < 0 ? Enumerable.Repeat(id, imageTokens[-id - 1]) : [id])];
    }

    /// <summary>Builds the row of prompt and answer.</summary>
    /// <param name="imageTokens">Number of tokens of each image, at least one.</param>
    public TrainingRow Row(IReadOnlyList<int> imageTokens, Answer answer)
    {
        var prompt = Prompt(imageTokens);
        return new TrainingRow([.. prompt, .. Reply(answer)], prompt.Length);
    }

    /// <summary>Computes the number of ids of <see cref="Row"/>.</summary>
    /// <param name="imageTokens">Number of tokens of each image, at least one.</param>
    public int Length(IReadOnlyList<int> imageTokens, Answer answer) =>
        Layout(imageTokens.Count).Length - imageTokens.Count + imageTokens.Sum() + Reply(answer).Length;

    /// <summary>Computes the number of ids of an answer, without those that end it.</summary>
    public int AnswerLength(Answer answer) => _tokenizer.Encode(Answers.Write(answer), addBos: false).Length;

    /// <summary>Decodes generated ids to text, without special tokens and surrounding white space.</summary>
    public string Decode(IEnumerable<int> answer) => _tokenizer.Decode(answer).Trim();

    /// <summary>Parses a generated text; null when it does not follow the answer template.</summary>
    public Answer? Read(string text) => Answers.Read(text);

    /// <summary>Finds the ids that spell the values of the answer's fields, also in part.</summary>
    /// <returns>Indices in <paramref name="answer"/> by field; empty when <see cref="Read"/> gives null.</returns>
    public IReadOnlyDictionary<string, IReadOnlyList<int>> FieldIds(IReadOnlyList<int> answer)
    {
        var (text, spans) = _tokenizer.DecodeWithSpans(answer);
        return Answers.Find(text).ToDictionary(field => field.Key, IReadOnlyList<int> (field) =>
        [
            .. Enumerable.Range(0, spans.Count).Where(i =>
                Math.Max(spans[i].Start, field.Value.Start.Value) < Math.Min(spans[i].End, field.Value.End.Value)),
        ]);
    }

    private int[] Layout(int images) => _layouts.GetOrAdd(images, count => Layout(count, _question));

    private int[] Layout(int images, string question) =>
        [_tokenizer.BeginOfText, .. PromptBuilder.Build(_tokenizer, _prompts.Ask(question, images), [.. Enumerable.Repeat(1, images)])];

    private int[] Reply(Answer answer) =>
        _tokenizer.Encode($"{Answers.Write(answer)}{SpecialTokens.End}\n{SpecialTokens.EndOfText}", addBos: false);
}

/// <summary>One sample as token ids.</summary>
/// <param name="Ids">Ids of prompt and answer; image k takes its number of tokens as ids -k.</param>
/// <param name="AnswerStart">Index of the first answer token. Ids from there on are labels; image ids are never among them.</param>
public sealed record TrainingRow(int[] Ids, int AnswerStart)
{
    /// <summary>Label of positions without loss.</summary>
    // PyTorch's default ignore_index.
    public const int Ignored = -100;

    /// <summary>Returns the row without its answer, the start of generation.</summary>
    public TrainingRow PromptOnly() => new(Ids[..AnswerStart], AnswerStart);

    /// <summary>Returns the label of each position: <see cref="Ignored"/> before the answer, the position's id from there on.</summary>
    public int[] Labels()
    {
        var labels = new int[Ids.Length];
        for (var i = 0; i < labels.Length; i++) labels[i] = i < AnswerStart ? Ignored : Ids[i];
        return labels;
    }
}
