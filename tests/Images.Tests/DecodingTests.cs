namespace FunctionsPipeline.Images.Tests;

/// <summary>Every variant of every format against pixels that another decoder found.</summary>
public sealed class DecodingTests
{
    public static TheoryData<string> Files => [.. Fixture.All.Select(fixture => fixture.File)];

    [Theory]
    [MemberData(nameof(Files))]
    public void A_file_shows_the_pixels_that_another_decoder_finds_in_it(string file)
    {
        var fixture = Fixture.All.Single(fixture => fixture.File == file);
        using var image = ImageReader.Read(fixture.Bytes());
        fixture.AssertShows(image);
    }

    [Theory]
    [MemberData(nameof(Files))]
    public void The_header_tells_format_and_size_of_the_image_that_is_read(string file)
    {
        var fixture = Fixture.All.Single(fixture => fixture.File == file);
        var header = ImageReader.Identify(fixture.Bytes());
        Assert.Equal((Path.GetExtension(file), fixture.Width, fixture.Height), ($".{header.Extension}", header.Width, header.Height));
        Assert.Equal($"image/{header.Format.ToString().ToLowerInvariant()}", header.MediaType);
    }

    [Fact]
    public void Every_fixture_is_expected_to_show_something() =>
        Assert.Equal(
            Directory.GetFiles(Path.Combine(AppContext.BaseDirectory, "Fixtures"))
                .Select(Path.GetFileName).Where(name => name != "expected.txt").Order(),
            Fixture.All.Select(fixture => fixture.File).Order());

    [Theory]
    [InlineData(0)]
    [InlineData(9)]
    [InlineData(65535)]
    public void An_orientation_that_there_is_not_leaves_an_image_as_it_is(int orientation)
    {
        var file = Fixture.Bytes("orientation-1.jpg");
        var entry = file.AsSpan().IndexOf<byte>([0x01, 0x12, 0, 3, 0, 0, 0, 1]) + 8;
        (file[entry], file[entry + 1]) = ((byte)(orientation >> 8), (byte)orientation);
        Assert.Equal((10, 7), ImageReader.Identify(file) is var header ? (header.Width, header.Height) : default);
    }

    [Fact]
    public void Damaged_metadata_do_not_make_an_image_unreadable()
    {
        var whole = Fixture.Bytes("orientation-1.jpg");
        var begin = whole.AsSpan().IndexOf("Exif\0\0"u8) + 6;
        var random = new Random(5);
        for (var round = 0; round < 300; round++)
        {
            var file = (byte[])whole.Clone();
            // The directory's offset, its count and the entry.
            file[begin + random.Next(4, 22)] = (byte)random.Next(256);
            using var image = ImageReader.Read(file);
            Assert.Equal(17, image.Width + image.Height);
        }
    }
}
