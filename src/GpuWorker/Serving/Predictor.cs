using System.Runtime.CompilerServices;
using FunctionsPipeline.FineTuning;
using FunctionsPipeline.FineTuning.Answers;
using FunctionsPipeline.FineTuning.Data;
using FunctionsPipeline.Images;
using FunctionsPipeline.Phi3Vision.Config;
using FunctionsPipeline.Phi3Vision.Images;
using FunctionsPipeline.Phi3Vision.Model;
using FunctionsPipeline.Phi3Vision.Text;
using FunctionsPipeline.Phi3Vision.Weights;
using static TorchSharp.torch;

namespace FunctionsPipeline.GpuWorker.Serving;

/// <summary>Loaded model that describes images, with the prompt it was trained on.</summary>
public sealed class Predictor : IDisposable
{
    private readonly LoadedModel _loaded;
    private readonly RowBuilder _rows;
    private readonly ImageProcessor _processor;
    private readonly TextGenerator _generator;
    private readonly Device _device;

    /// <param name="folder">Folder of the model.</param>
    /// <param name="precision">Type of the weights and of the computation.</param>
    /// <param name="freeAnswers">True to let the model write any text in place of answers that follow its template.</param>
    public Predictor(string folder, Device device, ScalarType precision, bool freeAnswers = false)
    {
        _device = device;
        var settings = ServingSettings.Load(folder);
        Question = settings.Question;
        _loaded = ModelFolder.Load(folder, device, precision);
        _loaded.Model.eval();
        _rows = new RowBuilder(_loaded.Tokenizer, settings);
        _processor = new ImageProcessor(settings.NumCrops);
        _generator = new TextGenerator(_loaded.Model);
        Generation = new GenerationSettings
        {
            MaxTokens = settings.MaxAnswerTokens,
            StopTokens = _rows.StopTokens,
            Constraint = freeAnswers ? null : new AnswerConstraint(_loaded.Tokenizer, settings, _rows.StopTokens),
        };
    }

    /// <summary>Question that the model was trained on.</summary>
    public string Question { get; }

    /// <summary>
    /// Default generation settings: greedy decoding, up to the number of tokens that the model was trained to answer with, and answers that
    /// keep to the template.
    /// </summary>
    public GenerationSettings Generation { get; }

    /// <summary>Decodes an image and resizes it for the model. Safe for concurrent use, also while an answer is generated.</summary>
    /// <param name="bytes">Encoded image.</param>
    /// <param name="question">Question about the image in place of <see cref="Question"/>, without a tag of an image.</param>
    /// <exception cref="UnreadableImageException">The bytes cannot be decoded as an image.</exception>
    public PreparedImage Prepare(ReadOnlyMemory<byte> bytes, string? question = null)
    {
        using var image = ImageReader.Read(bytes);
        var fitted = _processor.Fit(image);
        const int side = Phi3VisionConfig.ViewSize;
        return new PreparedImage(fitted, _rows.Prompt(ProcessedImage.TokensOf(fitted.Height / side, fitted.Width / side), question));
    }

    /// <summary>Generates the answers to a batch of images with the settings in <see cref="Generation"/>. One call at a time.</summary>
    /// <param name="images">At least one.</param>
    /// <returns>The answer to each image.</returns>
    public IReadOnlyList<PredictedAnswer> Answer(IReadOnlyList<PreparedImage> images, CancellationToken cancellationToken) =>
        Answer(images, Generation, cancellationToken);

    /// <summary>
    /// Generates the answers to a batch of images with the given settings, which must keep the stop tokens of <see cref="Generation"/>. One
    /// call at a time.
    /// </summary>
    /// <inheritdoc cref="Answer(IReadOnlyList{PreparedImage}, CancellationToken)"/>
    /// <exception cref="ArgumentException">The settings are invalid.</exception>
    public IReadOnlyList<PredictedAnswer> Answer(
        IReadOnlyList<PreparedImage> images, GenerationSettings settings, CancellationToken cancellationToken)
    {
        using var prompts = new PromptTensors(Prompts(images), _device);
        return [.. _generator.Generate(prompts.Input, settings, cancellationToken).Select(answer => PredictedAnswer.Of(answer, _rows))];
    }

    /// <summary>Generates the answer to an image and yields it in pieces, one for each token. One call at a time.</summary>
    /// <inheritdoc cref="Answer(IReadOnlyList{PreparedImage}, GenerationSettings, CancellationToken)"/>
    public async IAsyncEnumerable<AnswerPiece> StreamAsync(
        PreparedImage image, GenerationSettings settings, [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        using var prompt = new PromptTensors(Prompts([image]), _device);
        var text = new StreamingDetokenizer(_loaded.Tokenizer, _rows);
        var tokens = new List<GeneratedToken>();
        await foreach (var token in _generator.StreamAsync(prompt.Input, settings, cancellationToken))
        {
            tokens.Add(token);
            yield return new AnswerPiece(text.Add(token.Id), tokens.Count);
        }
        yield return new AnswerPiece(text.Finish(), tokens.Count)
        {
            Answer = PredictedAnswer.Of(new GeneratedAnswer(tokens, Stopped: tokens.Count < settings.MaxTokens), _rows),
        };
    }

    /// <inheritdoc/>
    public void Dispose() => _loaded.Dispose();

    private TrainingBatch Prompts(IReadOnlyList<PreparedImage> images) => new(
        [
            .. images.AsParallel().AsOrdered().Select(image =>
                (new TrainingRow(image.Prompt, image.Prompt.Length), (IReadOnlyList<ProcessedImage>)[ImageProcessor.Views(image.Fitted)])),
        ],
        _loaded.Config.PadTokenId, padLeft: true);
}

/// <summary>Piece of an answer in progress.</summary>
/// <param name="Text">Text that follows the pieces before; empty while the text of the latest token is not certain.</param>
/// <param name="Tokens">Number of tokens up to here; fewer than were allowed when the model itself ended the answer.</param>
public readonly record struct AnswerPiece(string Text, int Tokens)
{
    /// <summary>The complete answer; null before the last piece.</summary>
    public PredictedAnswer? Answer { get; init; }
}

/// <summary>An image resized for the model, with its prompt, in managed memory.</summary>
public sealed class PreparedImage
{
    internal PreparedImage(PaddedImage fitted, int[] prompt) => (Fitted, Prompt) = (fitted, prompt);

    /// <summary>The image before it is cut into views, which take four to eight times the memory.</summary>
    internal PaddedImage Fitted { get; }

    /// <summary>Number of tokens of the prompt, those of the image included.</summary>
    public int PromptTokens => Prompt.Length;

    /// <summary>Token ids of the prompt, image positions (negative ids) included.</summary>
    internal int[] Prompt { get; }
}

/// <summary>
/// Model input of a batch. Owns its tensors, detached from every dispose scope, so that a thread other than their creator's may read and
/// free them.
/// </summary>
internal sealed class PromptTensors : IDisposable
{
    public PromptTensors(TrainingBatch prompts, Device device)
    {
        using var scope = NewDisposeScope();
        Input = prompts.Input(device);
        foreach (var tensor in Tensors) scope.Detach(tensor);
    }

    public ModelInput Input { get; }

    private IEnumerable<Tensor> Tensors =>
        new[] { Input.InputIds, Input.AttentionMask, Input.PixelValues, Input.ImageSizes }.OfType<Tensor>();

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var tensor in Tensors) tensor.Dispose();
    }
}

/// <summary>
/// Decodes tokens into pieces of text that add up to the text of all tokens. Holds byte tokens back until their sequence has ended, because
/// a partial UTF-8 sequence cannot be decoded, and white space until more text follows.
/// </summary>
internal sealed class StreamingDetokenizer(Tokenizer tokenizer, RowBuilder rows)
{
    private readonly List<int> _ids = [];
    private int _shown;

    /// <summary>Returns the text that a token adds; empty while its bytes or white space are held back.</summary>
    public string Add(int id)
    {
        _ids.Add(id);
        return tokenizer.Token(id) is ['<', '0', 'x', _, _, '>'] ? "" : Rest();
    }

    /// <summary>Returns the text that was held back. No tokens may be added afterwards.</summary>
    public string Finish() => Rest();

    private string Rest()
    {
        // Decodes all tokens again, as pieces depend on their neighbours: quadratic, but bounded by MaxTokens of an answer.
        var text = rows.Decode(_ids);
        var rest = text[_shown..];
        _shown = text.Length;
        return rest;
    }
}
