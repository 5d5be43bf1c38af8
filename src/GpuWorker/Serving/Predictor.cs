using System.Runtime.CompilerServices;
using FunctionsPipeline.Contracts;
using FunctionsPipeline.FineTuning;
using FunctionsPipeline.FineTuning.Data;
using FunctionsPipeline.Images;
using FunctionsPipeline.Phi3Vision.Config;
using FunctionsPipeline.Phi3Vision.Images;
using FunctionsPipeline.Phi3Vision.Model;
using FunctionsPipeline.Phi3Vision.Text;
using FunctionsPipeline.Phi3Vision.Weights;
using static TorchSharp.torch;

namespace FunctionsPipeline.GpuWorker.Serving;

/// <summary>Loaded model that describes images, with the prompt it was trained on. Not thread-safe.</summary>
public sealed class Predictor : IDisposable
{
    private readonly LoadedModel _loaded;
    private readonly RowBuilder _rows;
    private readonly ImageProcessor _processor;
    private readonly TextGenerator _generator;
    private readonly Device _device;

    /// <param name="folder">Folder of the model.</param>
    public Predictor(string folder, Device device)
    {
        _device = device;
        var settings = ServingSettings.Load(folder);
        _loaded = ModelFolder.Load(folder, device, ScalarType.Float32);
        _loaded.Model.eval();
        _rows = new RowBuilder(_loaded.Tokenizer, settings);
        _processor = new ImageProcessor(settings.NumCrops);
        _generator = new TextGenerator(_loaded.Model);
        Generation = new GenerationSettings { MaxTokens = settings.MaxAnswerTokens, StopTokens = _rows.StopTokens };
    }

    /// <summary>
    /// Default generation settings: greedy decoding, up to the number of tokens that the model was trained to answer with.
    /// </summary>
    public GenerationSettings Generation { get; }

    /// <summary>Generates the answer to an image with the settings in <see cref="Generation"/>.</summary>
    /// <param name="bytes">Encoded image.</param>
    /// <exception cref="UnreadableImageException">The bytes cannot be decoded as an image.</exception>
    public PredictedAnswer Answer(ReadOnlyMemory<byte> bytes, CancellationToken cancellationToken) =>
        Answer(bytes, Generation, cancellationToken);

    /// <summary>
    /// Generates the answer to an image with the given settings, which must keep the stop tokens of <see cref="Generation"/>.
    /// </summary>
    /// <inheritdoc cref="Answer(ReadOnlyMemory{byte}, CancellationToken)"/>
    /// <exception cref="ArgumentException">The settings are invalid.</exception>
    public PredictedAnswer Answer(ReadOnlyMemory<byte> bytes, GenerationSettings settings, CancellationToken cancellationToken)
    {
        using var prompt = Prompt(bytes);
        var generated = _generator.Generate(prompt.Input, settings, cancellationToken)[0];
        var text = _rows.Decode(generated.Ids);
        return new PredictedAnswer(text, _rows.Read(text), generated);
    }

    /// <summary>Generates the answer and yields its text in pieces as they become available.</summary>
    /// <inheritdoc cref="Answer(ReadOnlyMemory{byte}, GenerationSettings, CancellationToken)"/>
    public async IAsyncEnumerable<string> StreamAsync(
        ReadOnlyMemory<byte> bytes, GenerationSettings settings, [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        using var prompt = Prompt(bytes);
        var text = new StreamingDetokenizer(_loaded.Tokenizer, _rows);
        await foreach (var token in _generator.StreamAsync(prompt.Input, settings, cancellationToken))
            if (text.Add(token.Id) is { Length: > 0 } piece) yield return piece;
        if (text.Finish() is { Length: > 0 } rest) yield return rest;
    }

    /// <inheritdoc/>
    public void Dispose() => _loaded.Dispose();

    private PromptTensors Prompt(ReadOnlyMemory<byte> bytes)
    {
        using var image = ImageReader.Read(bytes);
        var processed = _processor.Process(image);
        return new PromptTensors(_rows.Prompt(processed.Tokens), processed, _device);
    }
}

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

/// <summary>
/// Model input for a prompt about one image. Owns its tensors, detached from every dispose scope, so that a thread other than their
/// creator's may read and free them.
/// </summary>
internal sealed class PromptTensors : IDisposable
{
    /// <param name="ids">Token ids, with a negative id for every position of the image.</param>
    public PromptTensors(IReadOnlyList<int> ids, ProcessedImage image, Device device)
    {
        const int side = Phi3VisionConfig.ViewSize;
        using var scope = NewDisposeScope();
        long[] row = [.. ids.Select(id => (long)id)];
        Input = new ModelInput(
            tensor(row, [1, row.Length], device: device),
            PixelValues: tensor(image.PixelValues, [1, image.Views, 3, side, side], device: device),
            ImageSizes: tensor(new long[] { image.Height, image.Width }, [1, 2], device: device));
        scope.Detach(Input.InputIds, Input.PixelValues!, Input.ImageSizes!);
    }

    /// <summary>Token ids I64 [1, L], pixels F32 [1, K, 3, 336, 336] and image sizes I64 [1, 2].</summary>
    public ModelInput Input { get; }

    /// <inheritdoc/>
    public void Dispose()
    {
        Input.InputIds.Dispose();
        Input.PixelValues?.Dispose();
        Input.ImageSizes?.Dispose();
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
