using FunctionsPipeline.Contracts;

namespace FunctionsPipeline.Images.Tests;

/// <summary>Files that are cut off or damaged.</summary>
public sealed class DamageTests
{
    public static TheoryData<string> Files => DecodingTests.Files;

    [Theory]
    [MemberData(nameof(Files))]
    public void A_file_cut_off_anywhere_is_rejected_or_lacks_no_pixel(string name)
    {
        var file = Fixture.Bytes(name);
        // The codec reports a cut palette, and a WebP cut before its first row, as damaged rather than truncated.
        var tellsDamage = Path.GetExtension(name) is not (".bmp" or ".webp");
        string[] reasons = tellsDamage ? [Rejection.Truncated] : [Rejection.Truncated, Rejection.Corrupt];
        const int headerLength = 32;
        var cuts = Enumerable.Range(headerLength, file.Length - headerLength)
            .GroupBy(length => ReasonOf(file.AsMemory(0, length)))
            .ToDictionary(cut => cut.Key ?? "read", cut => cut.ToList());

        Assert.Empty(cuts.Keys.Except(reasons).Except(["read"]));
        Assert.NotEqual(["read"], cuts.Keys);
        // The orientation of a WebP follows its pixels.
        if (name == "orientation-8.webp") return;
        foreach (var length in cuts.GetValueOrDefault("read", []))
        {
            using var image = ImageReader.Read(file.AsMemory(0, length));
            Fixture.All.Single(fixture => fixture.File == name).AssertShows(image);
        }
    }

    [Fact]
    public void A_GIF_cut_off_within_its_first_frame_is_truncated()
    {
        var file = Fixture.Bytes("noise.gif");
        Assert.Equal(Rejection.Truncated, ReasonOf(file.AsMemory(0, file.Length - 2)));
        Assert.Null(ReasonOf(file.AsMemory(0, file.Length - 1)));
    }

    [Theory]
    [MemberData(nameof(Files))]
    public void What_follows_an_image_does_not_matter(string name)
    {
        byte[] file = [.. Fixture.Bytes(name), .. "RIFF, or IHDR"u8];
        Assert.Null(ReasonOf(file));
        Assert.NotNull(ImageReader.Identify(file));
    }

    public static TheoryData<string, string, byte[]> Damages => new()
    {
        // A table of codes, its length and number: more codes of few bits than there are.
        { "yuv444.jpg", "FFC4001F00", [0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF] },
        // "IDAT".
        { "rgb-8.png", "49444154", [0, 0, 0, 0, 0, 0, 0, 0, 0] },
        // "VP8L", its length, its signature and size, then prefix codes that say nothing.
        { "lossless.webp", "5650384C", [0xF0, 0, 0, 0, 0x2F, 0x09, 0x80, 0x01, 0x00, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF] },
        // A frame's descriptor: there are no codes of 200 bits, and no code that high so early.
        { "plain.gif", "2C000000000A00070000", [200] },
        { "plain.gif", "2C000000000A00070000083B", [0xFF, 0xFF, 0xFF] },
    };

    [Theory]
    [MemberData(nameof(Damages))]
    public void A_file_that_is_whole_but_damaged_inside_is_corrupt(string name, string before, byte[] damage)
    {
        var file = Fixture.Bytes(name);
        var at = file.AsSpan().IndexOf(Convert.FromHexString(before));
        Assert.True(at > 0);
        file = FileParts.With(file, at + (before.Length / 2), damage);
        var detail = Assert.Throws<UnreadableImageException>(() => ImageReader.Read(file).Dispose());
        Assert.Equal(Rejection.Corrupt, detail.Reason);
        Assert.Equal(detail.Detail, Assert.Throws<UnreadableImageException>(() => ImageReader.Verify(file)).Detail);
    }

    [Fact]
    public void A_GIF_without_a_frame_is_corrupt() =>
        Assert.Equal(Rejection.Corrupt, ReasonOf("GIF89a\u000a\0\u0007\0\0\0\0;"u8.ToArray()));

    [Fact]
    public void An_interlaced_PNG_without_pixels_is_truncated() =>
        Assert.Equal(Rejection.Truncated, ReasonOf(FileParts.PngWithoutPixels(10, 7, interlaced: true)));

    /// <summary>Returns the rejection of a file; verifying must find the same as reading.</summary>
    private static string? ReasonOf(ReadOnlyMemory<byte> file)
    {
        var reason = ReasonOf(() => ImageReader.Read(file).Dispose());
        Assert.Equal(reason, ReasonOf(() => ImageReader.Verify(file)));
        return reason;
    }

    private static string? ReasonOf(Action read)
    {
        try
        {
            read();
            return null;
        }
        catch (UnreadableImageException e)
        {
            Assert.NotEmpty(e.Detail);
            return e.Reason;
        }
    }
}
