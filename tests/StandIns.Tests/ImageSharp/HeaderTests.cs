using SixLabors.ImageSharp;
using SixLabors.ImageSharp.Formats.Webp;

namespace FunctionsPipeline.Tests.StandIns.ImageSharp;

public sealed class HeaderTests
{
    private static readonly byte[] Gif = [.. "GIF89a"u8, 0x2C, 0x01, 0xC8, 0x00, 0xF7, 0, 0];

    private static readonly byte[] Bmp =
        [.. "BM"u8, .. new byte[12], 40, 0, 0, 0, 0x80, 0x02, 0, 0, 0x20, 0xFE, 0xFF, 0xFF, 1, 0, 24, 0];

    [Fact]
    public void Identify_tells_size_and_format_of_every_format()
    {
        (byte[] Data, string Name, int Width, int Height)[] cases =
        [
            (SampleImages.Jpeg(640, 480), "JPEG", 640, 480),
            (SampleImages.Png(640, 480), "PNG", 640, 480),
            (SampleImages.Webp(640, 480), "Webp", 640, 480),
            (SampleImages.Webp(640, 480, WebpFileFormatType.Lossy), "Webp", 640, 480),
            (Gif, "GIF", 300, 200),
            (Bmp, "BMP", 640, 480),
        ];
        Assert.All(cases, expected =>
        {
            var info = Image.Identify(expected.Data);
            Assert.Equal((expected.Name, expected.Width, expected.Height), (info.Metadata.DecodedImageFormat!.Name, info.Width, info.Height));
            Assert.Equal(expected.Name, Image.DetectFormat(expected.Data).Name);
        });
    }

    [Fact]
    public void Identify_needs_the_header_only()
    {
        foreach (var data in (byte[][])[SampleImages.Jpeg(640, 480), SampleImages.Png(640, 480), SampleImages.Webp(640, 480)])
        {
            var info = Image.Identify(data.AsSpan(0, Math.Min(data.Length, 700)));
            Assert.Equal((640, 480), (info.Width, info.Height));
        }
    }

    [Fact]
    public void Identify_finds_the_frame_of_a_JPEG_behind_long_segments_of_a_stream()
    {
        var jpeg = SampleImages.Jpeg(640, 480);
        byte[] comment = [0xFF, 0xFE, 0xFF, 0xFF, .. new byte[65533]];
        byte[] data = [.. jpeg[..2], .. comment, .. comment, .. jpeg[2..]];
        var info = Image.Identify(new MemoryStream(data));
        Assert.Equal((640, 480), (info.Width, info.Height));
    }

    [Fact]
    public void Bytes_of_no_format_are_unknown()
    {
        Assert.Throws<UnknownImageFormatException>(() => Image.Identify([]));
        Assert.Throws<UnknownImageFormatException>(() => Image.Identify("just some text, renamed to .jpg"u8));
        Assert.Throws<UnknownImageFormatException>(() => Image.Identify(new MemoryStream("text"u8.ToArray())));
    }

    [Fact]
    public void Every_prefix_of_a_header_is_an_error_or_the_answer()
    {
        foreach (var data in (byte[][])[SampleImages.Jpeg(), SampleImages.Png(), SampleImages.Webp(), Gif, Bmp])
        {
            for (var length = 0; length < Math.Min(data.Length, 800); length++)
            {
                try
                {
                    var info = Image.Identify(data.AsSpan(0, length));
                    Assert.True(info is { Width: > 0, Height: > 0 });
                }
                catch (ImageFormatException)
                {
                    // What a caller handles.
                }
            }
        }
    }

    [Fact]
    public void An_image_without_pixels_is_invalid()
    {
        var png = SampleImages.Png();
        png.AsSpan(16, 4).Clear();
        Assert.Throws<InvalidImageContentException>(() => Image.Identify(png));
    }
}
