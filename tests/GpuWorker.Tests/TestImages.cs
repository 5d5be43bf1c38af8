using SixLabors.ImageSharp;
using SixLabors.ImageSharp.PixelFormats;

namespace FunctionsPipeline.GpuWorker.Tests;

internal static class TestImages
{
    public static byte[] Png() => Save(image => stream => image.SaveAsPng(stream));

    public static byte[] Jpeg() => Save(image => stream => image.SaveAsJpeg(stream));

    private static byte[] Save(Func<Image<Rgb24>, Action<Stream>> encoder)
    {
        using var image = new Image<Rgb24>(80, 60, new Rgb24(200, 30, 30));
        using var stream = new MemoryStream();
        encoder(image)(stream);
        return stream.ToArray();
    }
}
