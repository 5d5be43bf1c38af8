using FunctionsPipeline.Images;
using FunctionsPipeline.Tests;
using SixLabors.ImageSharp;
using SixLabors.ImageSharp.Formats.Jpeg;
using SixLabors.ImageSharp.PixelFormats;
using SixLabors.ImageSharp.Processing;

namespace FunctionsPipeline.Benchmarks;

/// <summary>Measures how far apart the perceptual hashes of copies and of different photographs are.</summary>
internal sealed class PerceptualHashBenchmark : IBenchmark
{
    private const string Photographs = "data/clothing";
    private const int Copied = 100;
    private static readonly int[] Limits = [2, 4, 6, 8, 10, 12];

    private static readonly (string Name, Func<Image<Rgb24>, byte[]> Make)[] Copies =
    [
        ("JPEG of quality 50", image => Jpeg(image, 50)),
        ("half the size", image => Resized(image, image.Width / 2, image.Height / 2)),
        ("a third of the size", image => Resized(image, image.Width / 3, image.Height / 3)),
        ("10 % brighter", image => Changed(image, context => context.Brightness(1.1f))),
        ("2 % cropped on each side", image => Cropped(image, 50)),
        ("5 % cropped on each side", image => Cropped(image, 20)),
        ("mirrored", image => Changed(image, context => context.Flip(FlipMode.Horizontal))),
    ];

    /// <inheritdoc/>
    public string Name => "dataset-hashes";

    /// <inheritdoc/>
    public string Title => "Perceptual hashes";

    /// <inheritdoc/>
    public string Description => "distances of the perceptual hashes of photographs and their copies (a minute)";

    /// <inheritdoc/>
    public ReportFile Report => ReportFile.Datasets;

    /// <inheritdoc/>
    public Section Measure(Meter meter)
    {
        if (TestData.Root is null || !Directory.Exists(TestData.Path(Photographs)))
            throw new NotMeasuredException($"the photographs, {Photographs} of the test data, are not here");
        meter.Say("hashing photographs");
        var files = Directory.GetFiles(TestData.Path(Photographs), "*.jpg", SearchOption.AllDirectories).Order(StringComparer.Ordinal)
            .Select(File.ReadAllBytes).ToArray();
        var hashes = files.Select(HashOf).ToArray();
        var table = new Table(["pairs", "number", .. Limits.Select(limit => $"≤ {limit} bits")]);
        var different = new List<int>();
        for (var i = 0; i < hashes.Length; i++)
            for (var j = 0; j < i; j++) different.Add(hashes[i].DistanceTo(hashes[j]));
        Add("different photographs", different);
        foreach (var (name, make) in Copies)
        {
            Add(name, [.. Enumerable.Range(0, Copied).Select(copy => copy * files.Length / Copied).Select(i =>
            {
                using var image = ImageReader.Read(files[i]);
                return HashOf(make(image)).DistanceTo(hashes[i]);
            })]);
        }
        return new Section(
            $"Pairs of images whose hashes differ in at most so many of 64 bits: {files.Length:N0} photographs of clothing with each " +
            $"other, some of which show the same garment, and {Copied} of them with copies (JPEGs of quality 85, where nothing else is " +
            $"said). A report warns of images of different splits up to {PerceptualHash.LargestDistance} bits: of more, most are " +
            "different photographs of the same kind of garment. Cropped and mirrored copies are mostly not found.",
            table);

        void Add(string name, List<int> distances) =>
            table.Add([name, $"{distances.Count:N0}", .. Limits.Select(limit => $"{distances.Count(distance => distance <= limit):N0}")]);
    }

    private static PerceptualHash HashOf(byte[] file)
    {
        ImageReader.Verify(file, null, out var hash);
        return hash;
    }

    private static byte[] Resized(Image<Rgb24> image, int width, int height) => Changed(image, context => context.Resize(width, height));

    private static byte[] Cropped(Image<Rgb24> image, int part)
    {
        var (x, y) = (image.Width / part, image.Height / part);
        return Changed(image, context => context.Crop(new Rectangle(x, y, image.Width - (2 * x), image.Height - (2 * y))));
    }

    private static byte[] Changed(Image<Rgb24> image, Action<IImageProcessingContext> change)
    {
        using var copy = image.Clone(change);
        return Jpeg(copy, 85);
    }

    private static byte[] Jpeg(Image image, int quality)
    {
        using var file = new MemoryStream();
        image.SaveAsJpeg(file, new JpegEncoder { Quality = quality });
        return file.ToArray();
    }
}
