using System.Runtime.CompilerServices;
using FunctionsPipeline.FineTuning;
using FunctionsPipeline.Images;
using FunctionsPipeline.Phi3Vision;
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
        var text = new AnswerText(_loaded.Tokenizer, _rows);
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
