using System.Runtime.CompilerServices;
using FunctionsPipeline.FineTuning;
using FunctionsPipeline.Images;
using FunctionsPipeline.Phi3Vision;
using static TorchSharp.torch;

namespace FunctionsPipeline.GpuWorker.Serving;

/// <summary>A loaded model that answers what an image shows, asked as it was trained. One call at a time.</summary>
public sealed class Predictor : IDisposable
{
    private readonly LoadedModel _loaded;
    private readonly RowBuilder _rows;
    private readonly ImageProcessor _processor;
    private readonly Phi3Vision.Generator _generator;
    private readonly Device _device;

    /// <param name="folder">A model folder.</param>
    public Predictor(string folder, Device device)
    {
        _device = device;
        var settings = ServingSettings.Load(folder);
        _loaded = ModelFolder.Load(folder, device, ScalarType.Float32);
        _loaded.Model.eval();
        _rows = new RowBuilder(_loaded.Tokenizer, settings);
        _processor = new ImageProcessor(settings.NumCrops);
        _generator = new Phi3Vision.Generator(_loaded.Model);
        Generation = new GenerationSettings { MaxTokens = settings.MaxAnswerTokens, StopTokens = _rows.StopTokens };
    }

    /// <summary>
    /// How answers are generated when nothing else is asked for: the most likely tokens, as many as the model was trained to give.
    /// </summary>
    public GenerationSettings Generation { get; }

    /// <summary>The model's answer with <see cref="Generation"/>.</summary>
    /// <param name="bytes">An encoded image.</param>
    /// <exception cref="UnreadableImageException">It cannot be read as an image.</exception>
    public PredictedAnswer Answer(ReadOnlyMemory<byte> bytes, CancellationToken cancellationToken) =>
        Answer(bytes, Generation, cancellationToken);

    /// <summary>The model's answer, with other settings than <see cref="Generation"/>; keep its stop tokens.</summary>
    /// <inheritdoc cref="Answer(ReadOnlyMemory{byte}, CancellationToken)"/>
    /// <exception cref="ArgumentException">The settings make no sense.</exception>
    public PredictedAnswer Answer(ReadOnlyMemory<byte> bytes, GenerationSettings settings, CancellationToken cancellationToken)
    {
        using var prompt = Prompt(bytes);
        var generated = _generator.Generate(prompt.Input, settings, cancellationToken)[0];
        var text = _rows.Decode(generated.Ids);
        return new PredictedAnswer(text, _rows.Read(text), generated);
    }

    /// <summary>The answer in pieces of text, as they come.</summary>
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
