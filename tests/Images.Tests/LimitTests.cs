using FunctionsPipeline.Contracts;
using SixLabors.ImageSharp;
using SixLabors.ImageSharp.PixelFormats;

namespace FunctionsPipeline.Images.Tests;

/// <summary>Holds the limits on the cost of a file: everything is checked before a pixel is decoded.</summary>
[Collection(nameof(PeakMemory))]
public sealed class LimitTests
{
    public static TheoryData<string, byte[]> Promises => new()
    {
        { "a PNG of too many pixels", FileParts.PngWithoutPixels(30_000, 30_000) },
        { "a PNG that is too wide", FileParts.PngWithoutPixels(20_001, 100) },
        { "a PNG just over the limit", FileParts.PngWithoutPixels(10_000, 6_401) },
        { "a JPEG", Jpeg() },
        { "a GIF's screen", FileParts.With(Fixture.Bytes("plain.gif"), 6, 0xFF, 0xFF, 0xFF, 0xFF) },
        { "a GIF's frame", GifFrame() },
        { "a BMP of run lengths", FileParts.With(Fixture.Bytes("run-lengths-8.bmp"), 18, 0x30, 0x75, 0, 0, 0x30, 0x75, 0, 0) },
        { "a WebP animation's canvas", FileParts.With(Fixture.Bytes("animated.webp"), 24, 0xFF, 0x3F, 0, 0xFF, 0x1F, 0) },
    };

    [Theory]
    [MemberData(nameof(Promises))]
    public void A_header_that_promises_too_many_pixels_is_rejected_without_memory_for_them(string what, byte[] file)
    {
        // Once before it counts, for what is made once.
        Assert.Equal((what, Rejection.TooManyPixels), (what, ReasonOf(file)));
        PeakMemory.AssertBelow(4, () => ReasonOf(file));
    }

    [Theory]
    [InlineData("zTXt")]
    [InlineData("iCCP")]
    public void What_is_packed_into_metadata_is_not_unpacked(string chunk)
    {
        var file = FileParts.WithChunk(Fixture.Bytes("rgb-8.png"), chunk, [.. "name"u8, 0, 0, .. FileParts.PackedZeros(50_000_000)]);
        ImageReader.Read(file).Dispose();
        PeakMemory.AssertBelow(8, () => ImageReader.Read(file).Dispose());
    }

    [Fact]
    public void Pixel_data_beyond_the_image_are_not_unpacked()
    {
        var file = FileParts.WithChunk(FileParts.PngWithoutPixels(10, 7), "IDAT", FileParts.PackedZeros(50_000_000));
        ImageReader.Read(file).Dispose();
        PeakMemory.AssertBelow(8, () => ImageReader.Read(file).Dispose());
    }

    [Theory]
    [InlineData(46, 0x1F)]
    [InlineData(10, 0x7F)]
    public void A_BMP_whose_header_points_out_of_the_file_costs_nothing(int offset, byte highest)
    {
        // The number of colours, and where the pixels begin.
        var file = FileParts.With(Fixture.Bytes("palette-8.bmp"), offset, 0xFF, 0xFF, 0xFF, highest);
        PeakMemory.AssertBelow(4, () => Assert.Throws<UnreadableImageException>(() => ImageReader.Read(file)));
    }

    [Theory]
    [InlineData(337, 1)]
    [InlineData(2, 900)]
    public void A_sliver_that_the_model_would_scale_to_nothing_has_a_bad_shape(int width, int height) =>
        Assert.Equal(Rejection.BadShape, ReasonOf(FileParts.PngWithoutPixels(width, height)));

    [Fact]
    public void A_file_larger_than_the_limit_is_not_looked_at() =>
        Assert.Equal(Rejection.TooLarge, ReasonOf(Fixture.Bytes("rgb-8.png"), new ImageLimits { MaxBytes = 50 }));

    [Fact]
    public void To_verify_a_JPEG_takes_no_memory_for_its_pixels()
    {
        using var file = new MemoryStream();
        using (var image = new Image<Rgb24>(6000, 4000)) image.SaveAsJpeg(file);
        var bytes = file.ToArray();
        Assert.Equal(new ImageHeader(ImageFormat.Jpeg, 6000, 4000), ImageReader.Verify(bytes));
        PeakMemory.AssertBelow(8, () => ImageReader.Verify(bytes));
    }

    private static byte[] Jpeg()
    {
        var file = Fixture.Bytes("yuv444.jpg");
        // The frame header: its length, bits, then height and width.
        return FileParts.With(file, file.AsSpan().IndexOf<byte>([0xFF, 0xC0]) + 5, 0xFF, 0xDC, 0xFF, 0xDC);
    }

    private static byte[] GifFrame()
    {
        var file = Fixture.Bytes("plain.gif");
        return FileParts.With(file, file.AsSpan().IndexOf<byte>([0x2C, 0, 0, 0, 0, 10, 0, 7, 0]) + 5, 0xFF, 0xB0, 0xFF, 0xB0);
    }

    private static string? ReasonOf(byte[] file, ImageLimits? limits = null)
    {
        var read = Assert.Throws<UnreadableImageException>(() => ImageReader.Read(file, limits).Dispose());
        Assert.Equal(read.Reason, Assert.Throws<UnreadableImageException>(() => ImageReader.Identify(file, limits)).Reason);
        return read.Reason;
    }
}
