using FunctionsPipeline.Contracts;
using FunctionsPipeline.Images;

namespace FunctionsPipeline.Tests.Images;

/// <summary>Files that are cut off or damaged.</summary>
public sealed class DamageTests
{
    // From here on the format is known.
    private static readonly Dictionary<string, int> SignatureLengths = new() { ["jpg"] = 3, ["png"] = 8, ["webp"] = 12, ["gif"] = 6, ["bmp"] = 18 };

    public static TheoryData<string> Files => DecodingTests.Files;

    [Theory]
    [MemberData(nameof(Files))]
    public void A_file_cut_off_anywhere_is_truncated(string name)
    {
        var file = Fixture.Bytes(name);
        var extension = Path.GetExtension(name)[1..];
        var read = false;
        for (var length = 1; length < file.Length; length++)
        {
            var reason = ReasonOf(file.AsMemory(0, length));
            // Of a GIF the first frame is enough, also without the trailer.
            read |= reason is null && extension == "gif";
            if (read) Assert.Null(reason);
            else Assert.Equal((length, length < SignatureLengths[extension] ? Rejection.NotAnImage : Rejection.Truncated), (length, reason));
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
    public void What_follows_a_picture_does_not_matter(string name)
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
        // "IHDR", width, height, depth: there are no 3 bits.
        { "rgb-8.png", "49484452", [0, 0, 0, 10, 0, 0, 0, 7, 3] },
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
        Assert.Contains(Path.GetExtension(name)[1..2].ToUpperInvariant(), detail.Detail, StringComparison.Ordinal);
    }

    [Fact]
    public void A_GIF_without_a_frame_is_corrupt() =>
        Assert.Equal(Rejection.Corrupt, ReasonOf("GIF89a\u000a\0\u0007\0\0\0\0;"u8.ToArray()));

    [Fact]
    public void Run_lengths_that_lead_out_of_the_picture_are_corrupt()
    {
        var file = Fixture.Bytes("run-lengths-8.bmp");
        Assert.Equal(Rejection.Corrupt, ReasonOf(FileParts.With(file, 14 + 40 + 1024, 255, 7)));
    }

    [Theory]
    [MemberData(nameof(Files))]
    public void Whatever_is_wrong_with_a_file_there_is_a_reason(string name)
    {
        var whole = Fixture.Bytes(name);
        var random = new Random(17);
        for (var round = 0; round < 60; round++)
        {
            var file = (byte[])whole.Clone();
            for (var flips = random.Next(1, 5); flips > 0; flips--) file[random.Next(file.Length)] ^= (byte)(1 << random.Next(8));
            if (round % 3 == 0) file = file[..random.Next(1, file.Length)];
            if (round % 3 == 1) file[random.Next(file.Length)] = (byte)random.Next(256);
            // A reason, or a picture; any other exception fails the test.
            Assert.Contains(ReasonOf(file), new[]
            {
                null, Rejection.NotAnImage, Rejection.Truncated, Rejection.Corrupt, Rejection.TooManyPixels, Rejection.BadShape,
            });
        }
    }

    /// <summary>What is wrong with a file; who only verifies it must find the same as who reads it.</summary>
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
