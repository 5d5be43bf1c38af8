using FunctionsPipeline.Contracts;
using FunctionsPipeline.Images;
using SixLabors.ImageSharp;
using SixLabors.ImageSharp.PixelFormats;

namespace FunctionsPipeline.Phi3Vision;

/// <summary>
/// The published image processor: scales a picture onto a grid of 336×336 crops, pads it with white, normalises it, and adds a view of the
/// whole. Safe for concurrent use.
/// </summary>
/// <param name="numCrops">Crops at most, 1 to 16 in the published settings.</param>
public sealed class ImageProcessor(int numCrops)
{
    private const int Side = Phi3VisionConfig.ViewSize;
    private const int Plane = Side * Side;
    private static readonly float[] Mean = [0.48145466f, 0.4578275f, 0.40821073f];
    private static readonly float[] Deviation = [0.26862954f, 0.26130258f, 0.27577711f];
    private static readonly float[][] Normalized = [.. Enumerable.Range(0, 3).Select(NormalizedBytes)];

    /// <summary>Crops at most.</summary>
    public int NumCrops { get; } = numCrops is >= 1 and <= 1024
        ? numCrops
        : throw new ArgumentOutOfRangeException(nameof(numCrops), numCrops, "An image is cut into 1 to 1024 crops.");

    /// <summary>Makes the views of an image.</summary>
    /// <exception cref="UnreadableImageException">The image is so thin that nothing is left of it (<see cref="Rejection.BadShape"/>).</exception>
    public ProcessedImage Process(Image<Rgb24> image) => Views(Fit(image));

    /// <summary>The first half of <see cref="Process"/>: the picture that the crops tile; it takes an eighth to a quarter of the room of its views.</summary>
    /// <exception cref="UnreadableImageException">The image is so thin that nothing is left of it (<see cref="Rejection.BadShape"/>).</exception>
    public HdPicture Fit(Image<Rgb24> image)
    {
        var rgb = new byte[checked(image.Width * image.Height * 3)];
        image.CopyPixelDataTo(rgb);
        return Hd(rgb, image.Width, image.Height);
    }

    /// <summary>The second half of <see cref="Process"/>.</summary>
    public static ProcessedImage Views(HdPicture picture) => Views(picture.Rgb, picture.Width, picture.Height);

    /// <summary>The resized and padded picture that the crops tile.</summary>
    internal HdPicture Hd(byte[] rgb, int width, int height)
    {
        var shape = HdShape.Of(width, height, NumCrops);
        if (shape.ResizedHeight == 0)
            throw new UnreadableImageException(Rejection.BadShape, $"A picture of {width}×{height} pixels is too thin for {NumCrops} crops of {Side}×{Side}.");
        if (shape.Transposed)
        {
            rgb = Transpose(rgb, width, height);
            (width, height) = (height, width);
        }
        var resized = BilinearResize.Resize(rgb, width, height, shape.Width, shape.ResizedHeight);
        var padded = new byte[shape.Width * shape.Height * 3];
        padded.AsSpan().Fill(255);
        resized.CopyTo(padded.AsSpan(shape.PadTop * shape.Width * 3));
        return shape.Transposed
            ? new HdPicture(Transpose(padded, shape.Width, shape.Height), shape.Height, shape.Width)
            : new HdPicture(padded, shape.Width, shape.Height);
    }

    private static ProcessedImage Views(byte[] rgb, int width, int height)
    {
        int rows = height / Side, columns = width / Side, views = rows * columns + 1;
        var pixels = new float[views * 3 * Plane];
        for (var y = 0; y < height; y++)
            for (var column = 0; column < columns; column++)
            {
                var crop = 1 + y / Side * columns + column;
                var source = rgb.AsSpan((y * width + column * Side) * 3, Side * 3);
                for (var channel = 0; channel < 3; channel++)
                {
                    var target = pixels.AsSpan((crop * 3 + channel) * Plane + y % Side * Side, Side);
                    var table = Normalized[channel];
                    for (var x = 0; x < Side; x++) target[x] = table[source[x * 3 + channel]];
                }
            }
        for (var channel = 0; channel < 3; channel++) GlobalView.Fill(rgb, width, height, channel, Normalized[channel], pixels.AsSpan(channel * Plane, Plane));
        return new ProcessedImage(pixels, views, height, width, ProcessedImage.TokensOf(rows, columns));
    }

    private static byte[] Transpose(byte[] rgb, int width, int height)
    {
        var target = new byte[rgb.Length];
        for (var y = 0; y < height; y++)
            for (var x = 0; x < width; x++)
            {
                int from = (y * width + x) * 3, to = (x * height + y) * 3;
                target[to] = rgb[from];
                target[to + 1] = rgb[from + 1];
                target[to + 2] = rgb[from + 2];
            }
        return target;
    }

    private static float[] NormalizedBytes(int channel) =>
        [.. Enumerable.Range(0, 256).Select(value => (value / 255f - Mean[channel]) / Deviation[channel])];
}
