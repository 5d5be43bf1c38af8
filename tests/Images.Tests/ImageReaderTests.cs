using System.Text;
using FunctionsPipeline.Contracts;
using SixLabors.ImageSharp;
using SixLabors.ImageSharp.PixelFormats;

namespace FunctionsPipeline.Images.Tests;

public sealed class ImageReaderTests
{
    public static TheoryData<ImageFormat> Formats => new(ImageFormat.Jpeg, ImageFormat.Png, ImageFormat.Webp);

    [Theory]
    [MemberData(nameof(Formats))]
    public void An_image_of_each_format_is_read_with_its_size_and_colours(ImageFormat format)
    {
        var file = Draw(format, 48, 32);

        var header = ImageReader.Identify(file);
        using var image = ImageReader.Read(file);

        Assert.Equal(new ImageHeader(format, 48, 32), header);
        Assert.Equal((48, 32), (image.Width, image.Height));
        Assert.InRange(image[24, 16].R, 180, 220);
        Assert.InRange(image[24, 16].B, 20, 60);
    }

    [Theory]
    [InlineData(ImageFormat.Jpeg, 800, 400, 100, 100, 50)]
    [InlineData(ImageFormat.Jpeg, 800, 400, 101, 200, 100)]
    [InlineData(ImageFormat.Jpeg, 100, 801, 700, 88, 701)]
    [InlineData(ImageFormat.Jpeg, 48, 32, 1000, 48, 32)]
    [InlineData(ImageFormat.Png, 800, 400, 100, 800, 400)]
    public void An_image_to_be_shown_small_is_read_no_smaller(
        ImageFormat format, int width, int height, int side, int readWidth, int readHeight)
    {
        using var image = ImageReader.ReadSmall(Draw(format, width, height), side);
        Assert.Equal((readWidth, readHeight), (image.Width, image.Height));
        Assert.InRange(image[image.Width / 2, image.Height / 2].R, 180, 220);
    }

    [Fact]
    public void A_jpeg_whose_thumbnail_is_whole_but_whose_image_is_not_is_truncated()
    {
        var file = Draw(ImageFormat.Jpeg, 48, 32);
        byte[] thumbnail = [0xFF, 0xE1, 0x00, 0x06, 0xFF, 0xD8, 0xFF, 0xD9];
        byte[] withThumbnail = [.. file[..2], .. thumbnail, .. file[2..]];

        Assert.Equal(48, ImageReader.Identify(withThumbnail).Width);
        Assert.Equal(Rejection.Truncated, ReasonOf(withThumbnail.AsMemory(0, withThumbnail.Length - 40)));
    }

    [Fact]
    public void No_bytes_are_empty() => Assert.Equal(Rejection.Empty, ReasonOf(ReadOnlyMemory<byte>.Empty));

    [Theory]
    [InlineData("This is not a picture.")]
    [InlineData("BMW and other makes of cars")]
    [InlineData("<")]
    [InlineData("This is a text, and not an image, however long it is.")]
    [InlineData("RIFF, and then something else: a sound that is no WebP.")]
    [InlineData("<svg xmlns='http://www.w3.org/2000/svg'><path/></svg>")]
    [InlineData("\0\0\u0008\u0008A wireless bitmap, which is an image that is not read.")]
    public void A_text_file_and_a_format_that_is_not_read_are_no_images(string text) =>
        Assert.Equal(Rejection.NotAnImage, ReasonOf(Encoding.UTF8.GetBytes(text)));

    private static string ReasonOf(ReadOnlyMemory<byte> file) =>
        Assert.Throws<UnreadableImageException>(() => ImageReader.Read(file).Dispose()).Reason;

    private static byte[] Draw(ImageFormat format, int width, int height)
    {
        using var image = new Image<Rgb24>(width, height, new Rgb24(200, 120, 40));
        using var file = new MemoryStream();
        switch (format)
        {
            case ImageFormat.Jpeg: image.SaveAsJpeg(file); break;
            case ImageFormat.Png: image.SaveAsPng(file); break;
            default: image.SaveAsWebp(file); break;
        }
        return file.ToArray();
    }
}
