using System.Runtime.InteropServices;
using FunctionsPipeline.Phi3Vision.Images;

namespace FunctionsPipeline.Phi3Vision.Tests.Images;

public sealed class ViewWriterTests
{
    // The published code's value of every byte: a .npy of float32 (3, 256), whose values end the file.
    private static readonly string File = Path.Combine(AppContext.BaseDirectory, "Fixtures", "processor", "normalize_lut.npy");
    private static readonly float[] Published =
        MemoryMarshal.Cast<byte, float>(System.IO.File.ReadAllBytes(File).AsSpan()[^(3 * 256 * 4)..]).ToArray();

    [Fact]
    public void Every_byte_of_every_channel_becomes_the_published_value()
    {
        var rgb = new byte[256 * 3];
        for (var i = 0; i < 256; i++) (rgb[i * 3], rgb[i * 3 + 1], rgb[i * 3 + 2]) = ((byte)i, (byte)(255 - i), (byte)(i ^ 85));
        float[] red = new float[256], green = new float[256], blue = new float[256];
        PixelNormalizer.Normalize(rgb, red, green, blue);
        for (var i = 0; i < 256; i++)
            Assert.Equal([Published[i], Published[256 + 255 - i], Published[512 + (i ^ 85)]], new[] { red[i], green[i], blue[i] });
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(2)]
    public void Values_of_one_channel_become_the_published_ones(int channel)
    {
        var values = Enumerable.Range(0, 256).Select(i => (float)i).ToArray();
        PixelNormalizer.Normalize(values, channel);
        Assert.Equal(Published[(channel * 256)..][..256], values);
    }
}
