using System.Security.Cryptography;
using FunctionsPipeline.Contracts;
using FunctionsPipeline.Images;
using FunctionsPipeline.Phi3Vision;
using SixLabors.ImageSharp;
using SixLabors.ImageSharp.PixelFormats;

namespace FunctionsPipeline.Tests.Phi3Vision;

public sealed class ImageProcessorTests
{
    [Theory]
    [InlineData(1, 2, 336, 336, 313)]
    [InlineData(4, 5, 672, 672, 757)]
    [InlineData(16, 17, 1344, 1344, 2509)]
    public void A_square_picture_takes_the_published_number_of_tokens(int numCrops, int views, int height, int width, int tokens)
    {
        using var image = new Image<Rgb24>(200, 200);
        var processed = new ImageProcessor(numCrops).Process(image);
        Assert.Equal((views, height, width, tokens), (processed.Views, processed.Height, processed.Width, processed.Tokens));
    }

    [Fact]
    public void With_one_crop_the_global_view_is_the_crop()
    {
        using var image = Noise(50, 80);
        var pixels = new ImageProcessor(1).Process(image).PixelValues;
        Assert.Equal(pixels[..(pixels.Length / 2)], pixels[(pixels.Length / 2)..]);
    }

    [Fact]
    public void A_picture_too_thin_to_show_is_refused()
    {
        using var image = new Image<Rgb24>(337, 1);
        var error = Assert.Throws<UnreadableImageException>(() => new ImageProcessor(1).Process(image));
        Assert.Equal(Rejection.BadShape, error.Reason);
    }

    [Fact]
    public void A_portrait_becomes_what_its_transposed_landscape_becomes()
    {
        using var portrait = Noise(91, 140);
        using var landscape = new Image<Rgb24>(140, 91);
        for (var y = 0; y < 91; y++)
            for (var x = 0; x < 140; x++) landscape[x, y] = portrait[y, x];
        var (tall, tallWidth, tallHeight) = new ImageProcessor(6).Hd(Bytes(portrait), 91, 140);
        var (wide, wideWidth, wideHeight) = new ImageProcessor(6).Hd(Bytes(landscape), 140, 91);
        Assert.Equal((wideHeight, wideWidth), (tallWidth, tallHeight));
        for (var y = 0; y < tallHeight; y++)
            for (var x = 0; x < tallWidth; x++)
                Assert.Equal(wide.AsSpan((x * wideWidth + y) * 3, 3), tall.AsSpan((y * tallWidth + x) * 3, 3));
    }

    [Theory]
    [InlineData("17x900.png", 4, 336, 1344, "5cc05f133ae8e3eae7d07166cbb355ed90ff8860e295935a7df00a561fe0619e")]
    [InlineData("17x900.png", 16, 336, 5376, "7c607cd477c5be14417771696d28dcef186c49da789da87820d2c8e5aad9014a")]
    [InlineData("900x17.png", 4, 1344, 336, "1ae01ad91335dee6b2c8f3d6e742b95c6b44a9b4a68c9f201e935e27a54aff7a")]
    [InlineData("900x17.png", 16, 5376, 336, "0cc93d4f026528e82efe3183047ed67c35522bd43e4ee98c43cbd6df7c767218")]
    [InlineData("21x19.png", 4, 672, 672, "f976eed391dff90fe997552a577f4673f1d97f21cf4f6015f49460d283123263")]
    [InlineData("21x19.png", 16, 1344, 1344, "ae36daeddfbd15ec9d1de55047f6b42f6b22739892ee9dbc54324ebad4d5d9f0")]
    public void The_resized_and_padded_picture_is_the_published_one_bit_for_bit(string file, int numCrops, int width, int height, string sha256)
    {
        using var image = Image.Load<Rgb24>(Path.Combine(AppContext.BaseDirectory, "Fixtures", "pictures", file));
        var (hd, hdWidth, hdHeight) = new ImageProcessor(numCrops).Hd(Bytes(image), image.Width, image.Height);
        Assert.Equal((width, height), (hdWidth, hdHeight));
        Assert.Equal(sha256, Convert.ToHexStringLower(SHA256.HashData(hd)));
    }

    [Fact]
    public void A_picture_file_becomes_the_recorded_pixel_values()
    {
        using var image = Image.Load<Rgb24>(Path.Combine(AppContext.BaseDirectory, "Fixtures", "tiny-image", "image_1.png"));
        using var recorded = SafetensorsFile.Open(Path.Combine(AppContext.BaseDirectory, "Fixtures", "tiny-image", "io.safetensors"));
        using var expected = recorded.Read("pixel_values");
        Assert.Equal(expected.data<float>().ToArray(), new ImageProcessor(1).Process(image).PixelValues);
    }

    private static Image<Rgb24> Noise(int width, int height)
    {
        var random = new Random(5);
        var image = new Image<Rgb24>(width, height);
        for (var y = 0; y < height; y++)
            for (var x = 0; x < width; x++) image[x, y] = new Rgb24((byte)random.Next(256), (byte)random.Next(256), (byte)random.Next(256));
        return image;
    }

    private static byte[] Bytes(Image<Rgb24> image)
    {
        var rgb = new byte[image.Width * image.Height * 3];
        image.CopyPixelDataTo(rgb);
        return rgb;
    }
}
