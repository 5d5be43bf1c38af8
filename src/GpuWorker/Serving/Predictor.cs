using FunctionsPipeline.FineTuning;
using FunctionsPipeline.Images;
using FunctionsPipeline.Phi3Vision;
using static TorchSharp.torch;

namespace FunctionsPipeline.GpuWorker.Serving;

/// <summary>A loaded model that answers what an image shows, asked as it was trained. One call at a time.</summary>
public sealed class Predictor : IDisposable
{
    private readonly LoadedModel _loaded;
    private readonly ServingSettings _settings;
    private readonly RowBuilder _rows;
    private readonly ImageProcessor _processor;
    private readonly Phi3Vision.Generator _generator;
    private readonly Device _device;

    /// <param name="folder">A model folder.</param>
    public Predictor(string folder, Device device)
    {
        _device = device;
        _settings = ServingSettings.Load(folder);
        _loaded = ModelFolder.Load(folder, device, ScalarType.Float32);
        _loaded.Model.eval();
        _rows = new RowBuilder(_loaded.Tokenizer, _settings.Question);
        _processor = new ImageProcessor(_settings.NumCrops);
        _generator = new Phi3Vision.Generator(_loaded.Model);
    }

    /// <summary>The model's answer, word for word.</summary>
    /// <param name="bytes">An encoded image.</param>
    /// <exception cref="UnreadableImageException">It cannot be read as an image.</exception>
    public string Answer(ReadOnlyMemory<byte> bytes, CancellationToken cancellationToken)
    {
        using var image = ImageReader.Read(bytes);
        var processed = _processor.Process(image);
        var ids = Array.ConvertAll(_rows.Prompt(processed.Tokens), id => (long)id);
        using var scope = NewDisposeScope();
        using var noGradient = no_grad();
        const int side = Phi3VisionConfig.ViewSize;
        var input = new ModelInput(
            tensor(ids, [1, ids.Length], device: _device),
            PixelValues: tensor(processed.PixelValues, [1, processed.Views, 3, side, side], device: _device),
            ImageSizes: tensor(new long[] { processed.Height, processed.Width }, [1, 2], device: _device));
        return _rows.Decode(_generator.Greedy(input, _settings.MaxAnswerTokens, _rows.StopTokens, cancellationToken));
    }

    /// <inheritdoc/>
    public void Dispose() => _loaded.Dispose();
}
