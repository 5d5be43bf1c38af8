using SixLabors.ImageSharp;
using SixLabors.ImageSharp.Formats;
using SixLabors.ImageSharp.Formats.Jpeg;
using SixLabors.ImageSharp.Formats.Png;
using SixLabors.ImageSharp.Formats.Webp;
using SixLabors.ImageSharp.PixelFormats;

namespace FunctionsPipeline.Tests.StandIns.ImageSharp;

/// <summary>Images drawn and encoded for the tests.</summary>
internal static class SampleImages
{
    /// <summary>Red grows to the right, green downwards, blue is constant.</summary>
    public static Image<Rgb24> Gradient(int width, int height)
    {
        var image = new Image<Rgb24>(width, height);
        image.ProcessPixelRows(rows =>
        {
            for (var y = 0; y < rows.Height; y++)
            {
                var row = rows.GetRowSpan(y);
                for (var x = 0; x < row.Length; x++)
                    row[x] = new Rgb24((byte)(x * 255 / row.Length), (byte)(y * 255 / rows.Height), 96);
            }
        });
        return image;
    }

    public static byte[] Encode(Image image, IImageEncoder encoder)
    {
        using var stream = new MemoryStream();
        image.Save(stream, encoder);
        return stream.ToArray();
    }

    public static byte[] Jpeg(int width = 64, int height = 48)
    {
        using var image = Gradient(width, height);
        return Encode(image, new JpegEncoder { Quality = 95, ColorType = JpegEncodingColor.YCbCrRatio444 });
    }

    public static byte[] Png(int width = 64, int height = 48)
    {
        using var image = Gradient(width, height);
        return Encode(image, new PngEncoder());
    }

    public static byte[] Webp(int width = 64, int height = 48, WebpFileFormatType format = WebpFileFormatType.Lossless)
    {
        using var image = Gradient(width, height);
        return Encode(image, new WebpEncoder { FileFormat = format, Quality = 95 });
    }

    /// <summary>The largest difference of a channel between two images.</summary>
    public static int Difference(Image<Rgb24> left, Image<Rgb24> right)
    {
        Assert.Equal(left.Size, right.Size);
        var largest = 0;
        for (var y = 0; y < left.Height; y++)
        {
            for (var x = 0; x < left.Width; x++)
            {
                var (a, b) = (left[x, y], right[x, y]);
                largest = Math.Max(largest, Math.Max(Math.Abs(a.R - b.R), Math.Max(Math.Abs(a.G - b.G), Math.Abs(a.B - b.B))));
            }
        }
        return largest;
    }
}
