using FunctionsPipeline.Images;
using FunctionsPipeline.Phi3Vision;

namespace FunctionsPipeline.Benchmarks;

/// <summary>From an encoded image to pixel values.</summary>
internal sealed class ImageBenchmark : IBenchmark
{
    private const int Width = 1000;
    private const int Height = 1500;

    /// <inheritdoc/>
    public string Name => "images";

    /// <inheritdoc/>
    public string Title => "Images";

    /// <inheritdoc/>
    public string Description => "a JPEG of 1000×1500 pixels to pixel values, with 1 and 16 crops, and its decoding alone";

    /// <inheritdoc/>
    public Section Measure(Meter meter)
    {
        var jpeg = Photograph.Jpeg(Width, Height, seed: 1);
        var table = new ReferenceTable();
        foreach (var (crops, reference) in new[] { (16, ReferenceFigures.Images16), (1, ReferenceFigures.Images1) })
        {
            var processor = new ImageProcessor(crops);
            var work = $"JPEG to pixel values, num_crops {crops}";
            table.Add(work, meter.Measure(work, () =>
            {
                using var image = ImageReader.Read(jpeg);
                processor.Process(image);
            }), reference);
        }
        const string decoding = "decoding alone";
        table.Add(decoding, meter.Measure(decoding, () => ImageReader.Read(jpeg).Dispose()), ReferenceFigures.Decoding);
        return new Section(
            $"A JPEG of {Width}×{Height} pixels and {jpeg.Length / 1000} kB, drawn with the statistics of a photograph, on one thread, " +
            "checks and decoding included. The reference's picture was another one of this size.",
            table.Table);
    }
}
