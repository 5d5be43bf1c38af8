using SixLabors.ImageSharp;
using SixLabors.ImageSharp.Formats;
using SixLabors.ImageSharp.Formats.Jpeg;
using SixLabors.ImageSharp.Formats.Png;
using SixLabors.ImageSharp.Formats.Webp;
using SixLabors.ImageSharp.PixelFormats;

namespace FunctionsPipeline.Tests.StandIns.ImageSharp;

public sealed class CodecTests
{
    [Fact]
    public void Lossless_formats_give_back_every_pixel()
    {
        using var image = SampleImages.Gradient(67, 45);
        foreach (var encoder in (IImageEncoder[])[new PngEncoder(), new WebpEncoder { FileFormat = WebpFileFormatType.Lossless }])
        {
            using var read = Image.Load<Rgb24>(SampleImages.Encode(image, encoder));
            Assert.Equal(0, SampleImages.Difference(image, read));
        }
    }

    [Fact]
    public void Lossy_formats_come_close()
    {
        using var image = SampleImages.Gradient(67, 45);
        using var jpeg = Image.Load<Rgb24>(SampleImages.Jpeg(67, 45));
        using var webp = Image.Load<Rgb24>(SampleImages.Webp(67, 45, WebpFileFormatType.Lossy));
        Assert.InRange(SampleImages.Difference(image, jpeg), 1, 8);
        Assert.InRange(SampleImages.Difference(image, webp), 1, 24);
    }

    [Fact]
    public void Noise_that_does_not_compress_fits_a_PNG()
    {
        using var image = new Image<Rgb24>(300, 200);
        var random = new Random(7);
        for (var y = 0; y < image.Height; y++)
            for (var x = 0; x < image.Width; x++)
                image[x, y] = new Rgb24((byte)random.Next(256), (byte)random.Next(256), (byte)random.Next(256));
        using var read = Image.Load<Rgb24>(SampleImages.Encode(image, new PngEncoder()));
        Assert.Equal(0, SampleImages.Difference(image, read));
    }

    [Fact]
    public void Loading_as_RGB_drops_alpha_and_keeps_the_colour()
    {
        using var image = new Image<Rgba32>(4, 3, new Rgba32(200, 100, 50, 0));
        using var png = Image.Load<Rgb24>(SampleImages.Encode(image, new PngEncoder()));
        Assert.Equal(new Rgb24(200, 100, 50), png[2, 1]);
        using var transparent = Image.Load<Rgba32>(SampleImages.Encode(image, new PngEncoder()));
        Assert.Equal(new Rgba32(200, 100, 50, 0), transparent[2, 1]);
    }

    [Fact]
    public void Grey_images_load_as_RGB()
    {
        using var image = new Image<L8>(16, 16, new L8(130));
        foreach (var encoder in (IImageEncoder[])[new PngEncoder(), new JpegEncoder()])
        {
            using var read = Image.Load<Rgb24>(SampleImages.Encode(image, encoder));
            Assert.Equal(new Rgb24(130, 130, 130), read[5, 5]);
        }
    }

    [Fact]
    public void A_CMYK_JPEG_loads_as_RGB()
    {
        // One colour, drawn by another program: the inks 240, 120, 60 and black 200, inverted as Adobe stores them.
        using var image = Image.Load<Rgb24>(Path.Combine(AppContext.BaseDirectory, "ImageSharp", "Fixtures", "cmyk.jpg"));
        Assert.Equal(new Rgb24(240 * 200 / 255, 120 * 200 / 255, 60 * 200 / 255), image[3, 3]);
    }

    [Fact]
    public void A_truncated_image_is_invalid_content_wherever_it_is_cut()
    {
        foreach (var data in (byte[][])[SampleImages.Jpeg(200, 160), SampleImages.Png(200, 160), SampleImages.Webp(200, 160)])
        {
            for (var percent = 5; percent < 98; percent += 7)
            {
                // With fewer bytes than this the format cannot be told.
                var part = data[..Math.Max(12, data.Length * percent / 100)];
                Assert.Throws<InvalidImageContentException>(() => Image.Load<Rgb24>(part).Dispose());
            }
        }
    }

    [Fact]
    public void A_JPEG_with_stray_bytes_before_its_scan_still_loads_and_a_truncated_one_of_them_does_not()
    {
        var jpeg = SampleImages.Jpeg(200, 160);
        const int afterJfif = 20;
        byte[] stray = [.. jpeg[..afterJfif], 0, 0, 0, .. jpeg[afterJfif..]];
        using var image = Image.Load<Rgb24>(stray);
        Assert.Equal(new Size(200, 160), image.Size);
        Assert.Throws<InvalidImageContentException>(() => Image.Load<Rgb24>(stray.AsSpan(0, stray.Length / 2)).Dispose());
    }

    [Fact]
    public void Damaged_bytes_never_do_more_than_throw()
    {
        var random = new Random(11);
        foreach (var data in (byte[][])[SampleImages.Jpeg(), SampleImages.Png(), SampleImages.Webp(format: WebpFileFormatType.Lossy), SampleImages.Webp()])
        {
            for (var round = 0; round < 200; round++)
            {
                var damaged = (byte[])data.Clone();
                for (var i = 0; i < 4; i++) damaged[random.Next(12, damaged.Length)] = (byte)random.Next(256);
                try
                {
                    using var image = Image.Load<Rgb24>(damaged);
                    Assert.True(image.Width > 0);
                }
                catch (ImageFormatException)
                {
                    // What a caller handles.
                }
            }
        }
    }

    [Fact]
    public void A_huge_PNG_of_a_few_bytes_is_refused_before_memory_is_spent()
    {
        var png = SampleImages.Png(8, 8);
        byte[] side = [0, 0, 0x75, 0x30];
        side.CopyTo(png, 16);
        side.CopyTo(png, 20);
        var info = Image.Identify(png);
        Assert.Equal((30000, 30000), (info.Width, info.Height));
        var before = GC.GetAllocatedBytesForCurrentThread();
        Assert.Throws<InvalidImageContentException>(() => Image.Load<Rgb24>(png).Dispose());
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 1 << 20);
    }

    [Fact]
    public void An_image_over_the_allocation_limit_is_invalid_content()
    {
        var configuration = Configuration.Default.Clone();
        configuration.MemoryAllocator = SixLabors.ImageSharp.Memory.MemoryAllocator.Create(
            new SixLabors.ImageSharp.Memory.MemoryAllocatorOptions { AllocationLimitMegabytes = 1 });
        var options = new DecoderOptions { Configuration = configuration };
        Assert.Throws<InvalidImageContentException>(() => Image.Load<Rgb24>(options, SampleImages.Jpeg(800, 600)).Dispose());
        using var small = Image.Load<Rgb24>(options, SampleImages.Jpeg(400, 300));
        Assert.Equal(new Size(400, 300), small.Size);
    }

    [Fact]
    public void A_GIF_without_a_frame_is_invalid_content()
    {
        byte[] gif = [.. "GIF89a"u8, 0x2C, 0x01, 0xC8, 0x00, 0x70, 0, 0, (byte)';'];
        var exception = Assert.Throws<InvalidImageContentException>(() => Image.Load<Rgb24>(gif).Dispose());
        Assert.Contains("GIF", exception.Message, StringComparison.Ordinal);
    }

    [TestDataFact("data/clothing/validation")]
    public void Photographs_load_and_a_second_pass_over_their_pixels_is_the_same()
    {
        foreach (var path in Directory.GetFiles(TestData.Path("data/clothing/validation"), "*.jpg", SearchOption.AllDirectories).Order().Take(40))
        {
            using var image = Image.Load<Rgb24>(File.ReadAllBytes(path));
            var info = Image.Identify(path);
            Assert.Equal(info.Size, image.Size);
            using var again = Image.Load<Rgb24>(SampleImages.Encode(image, new PngEncoder()));
            Assert.Equal(0, SampleImages.Difference(image, again));
        }
    }
}
