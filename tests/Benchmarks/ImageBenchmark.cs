using FunctionsPipeline.Images;
using FunctionsPipeline.Phi3Vision.Images;

namespace FunctionsPipeline.Benchmarks;

/// <summary>Measures the way from an encoded image to pixel values.</summary>
internal sealed class ImageBenchmark : IBenchmark
{
    private const int Width = 1000;
    private const int Height = 1500;

    /// <inheritdoc/>
    public string Name => "images";

    /// <inheritdoc/>
    public string Title => "Images";

    /// <inheritdoc/>
    public string Description =>
        "a JPEG of 1000×1500 pixels to pixel values, with 1 and 16 crops, and verified, beside its decoding alone";

    /// <inheritdoc/>
    public Section Measure(Meter meter)
    {
        var jpeg = Photograph.Jpeg(Width, Height, seed: 1);
        var table = new ReferenceTable("of decoding");
        (string Work, double? Reference, Action Round)[] works =
        [
            ("decoding alone", ReferenceFigures.Decoding, () => ImageReader.Read(jpeg).Dispose()),
            ("verification", null, () => ImageReader.Verify(jpeg)),
            Processing(1, ReferenceFigures.Images1),
            Processing(16, ReferenceFigures.Images16),
        ];
        var timings = meter.Measure("JPEG", [.. works.Select(work => (Func<double>)(() => Meter.Time(work.Round)))]);
        foreach (var ((work, reference, _), timing) in works.Zip(timings))
            table.Add(work, timing, reference, Cell.Times(timing.Median, timings[0].Median));
        return new Section(
            $"A JPEG of {Width}×{Height} pixels and {jpeg.Length / 1000} kB, drawn with the statistics of a photograph, on one thread, " +
            "checks and decoding included; rounds take turns. Of decoding: the median over that of decoding alone; the target is at most " +
            "1.60× with 16 crops. The reference's picture was another one of this size.",
            table.Table);

        (string Work, double? Reference, Action Round) Processing(int crops, double reference)
        {
            var processor = new ImageProcessor(crops);
            return ($"JPEG to pixel values, num_crops {crops}", reference, () =>
            {
                using var image = ImageReader.Read(jpeg);
                processor.Process(image);
            });
        }
    }
}
