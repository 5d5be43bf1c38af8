using SixLabors.ImageSharp;
using SixLabors.ImageSharp.PixelFormats;

namespace FunctionsPipeline.Images.Tests;

/// <summary>
/// A small image file and what another decoder makes of it: Pillow, ImageMagick for 16 bits, or the image that the file was written
/// from. <c>Fixtures/expected.txt</c> lists images (the red, green and blue of every pixel over white, or their SHA-256), then the files
/// with the difference of a channel that lossy formats may have.
/// </summary>
internal sealed record Fixture(string File, int Tolerance, int Width, int Height, string Pixels)
{
    private static readonly string Folder = Path.Combine(AppContext.BaseDirectory, "Fixtures");

    public static IReadOnlyList<Fixture> All { get; } = ReadAll();

    public static byte[] Bytes(string file) => System.IO.File.ReadAllBytes(Path.Combine(Folder, file));

    public byte[] Bytes() => Bytes(File);

    /// <summary>Fails where a pixel differs.</summary>
    public void AssertShows(Image<Rgb24> image)
    {
        Assert.Equal((Width, Height), (image.Width, image.Height));
        var actual = new byte[Width * Height * 3];
        image.CopyPixelDataTo(actual);
        if (Pixels.StartsWith("sha256:", StringComparison.Ordinal))
        {
            Assert.Equal(Pixels, $"sha256:{Convert.ToHexStringLower(System.Security.Cryptography.SHA256.HashData(actual))}");
            return;
        }
        var expected = Convert.FromHexString(Pixels);
        for (var i = 0; i < actual.Length; i++)
        {
            Assert.True(Math.Abs(actual[i] - expected[i]) <= Tolerance,
                $"{File}: pixel ({i / 3 % Width}, {i / 3 / Width}), channel {i % 3} is {actual[i]}, not {expected[i]} ± {Tolerance}");
        }
    }

    private static List<Fixture> ReadAll()
    {
        var lines = System.IO.File.ReadAllLines(Path.Combine(Folder, "expected.txt")).Select(line => line.Split(' ')).ToList();
        var images = lines.Where(line => line[0] == "picture")
            .ToDictionary(line => line[1], line => (Size: line[2].Split('x'), Pixels: line[3]));
        return [.. lines.Where(line => line[0] == "file").Select(line => (File: line[1], Tolerance: line[2], Image: images[line[3]]))
            .Select(file => new Fixture(
                file.File, int.Parse(file.Tolerance, null), int.Parse(file.Image.Size[0], null), int.Parse(file.Image.Size[1], null),
                file.Image.Pixels))];
    }
}
