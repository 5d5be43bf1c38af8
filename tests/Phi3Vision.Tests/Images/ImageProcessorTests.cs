using System.Security.Cryptography;
using FunctionsPipeline.Contracts;
using FunctionsPipeline.Images;
using FunctionsPipeline.Phi3Vision.Images;
using FunctionsPipeline.Phi3Vision.Weights;
using SixLabors.ImageSharp;
using SixLabors.ImageSharp.PixelFormats;

namespace FunctionsPipeline.Phi3Vision.Tests.Images;

public sealed class ImageProcessorTests
{
    [Theory]
    [InlineData(1, 2, 336, 336, 313)]
    [InlineData(4, 5, 672, 672, 757)]
    [InlineData(16, 17, 1344, 1344, 2509)]
    public void A_square_image_takes_the_published_number_of_tokens(int numCrops, int views, int height, int width, int tokens)
    {
        using var image = new Image<Rgb24>(200, 200);
        var processed = new ImageProcessor(numCrops).Process(image);
        Assert.Equal((views, height, width, tokens), (processed.Views, processed.Height, processed.Width, processed.Tokens));
    }

    [Theory]
    [InlineData(60, 60, 4)]
    [InlineData(300, 100, 4)]
    [InlineData(100, 301, 16)]
    [InlineData(2000, 6, 1)]
    public void The_tokens_of_an_image_are_known_from_its_size(int width, int height, int crops)
    {
        using var image = new Image<Rgb24>(width, height);
        var processor = new ImageProcessor(crops);
        Assert.Equal(processor.Process(image).Tokens, processor.Tokens(width, height));
    }

    [Fact]
    public void With_one_crop_the_global_view_is_the_crop()
    {
        using var image = Noise(50, 80);
        var pixels = new ImageProcessor(1).Process(image).PixelValues;
        Assert.Equal(pixels[..(pixels.Length / 2)], pixels[(pixels.Length / 2)..]);
    }

    [Fact]
    public void An_image_too_thin_to_show_is_refused()
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
        var (tall, tallWidth, tallHeight) = new ImageProcessor(6).Fit(portrait);
        var (wide, wideWidth, wideHeight) = new ImageProcessor(6).Fit(landscape);
        Assert.Equal((wideHeight, wideWidth), (tallWidth, tallHeight));
        for (var y = 0; y < tallHeight; y++)
        {
            for (var x = 0; x < tallWidth; x++)
                Assert.Equal(wide.AsSpan((x * wideWidth + y) * 3, 3), tall.AsSpan((y * tallWidth + x) * 3, 3));
        }
    }

    [Theory]
    [InlineData("17x900.png", 4, 336, 1344, "5cc05f133ae8e3eae7d07166cbb355ed90ff8860e295935a7df00a561fe0619e")]
    [InlineData("17x900.png", 16, 336, 5376, "7c607cd477c5be14417771696d28dcef186c49da789da87820d2c8e5aad9014a")]
    [InlineData("900x17.png", 4, 1344, 336, "1ae01ad91335dee6b2c8f3d6e742b95c6b44a9b4a68c9f201e935e27a54aff7a")]
    [InlineData("900x17.png", 16, 5376, 336, "0cc93d4f026528e82efe3183047ed67c35522bd43e4ee98c43cbd6df7c767218")]
    [InlineData("21x19.png", 4, 672, 672, "f976eed391dff90fe997552a577f4673f1d97f21cf4f6015f49460d283123263")]
    [InlineData("21x19.png", 16, 1344, 1344, "ae36daeddfbd15ec9d1de55047f6b42f6b22739892ee9dbc54324ebad4d5d9f0")]
    public void The_resized_and_padded_image_is_the_published_one_bit_for_bit(
        string file, int numCrops, int width, int height, string sha256)
    {
        using var image = ImageReader.Read(File.ReadAllBytes(Path.Combine(AppContext.BaseDirectory, "Fixtures", "pictures", file)));
        var (hd, hdWidth, hdHeight) = new ImageProcessor(numCrops).Fit(image);
        Assert.Equal((width, height), (hdWidth, hdHeight));
        Assert.Equal(sha256, Convert.ToHexStringLower(SHA256.HashData(hd)));
    }

    [Fact]
    public void An_image_file_becomes_the_recorded_pixel_values()
    {
        var folder = Path.Combine(AppContext.BaseDirectory, "Fixtures", "tiny-image");
        using var image = ImageReader.Read(File.ReadAllBytes(Path.Combine(folder, "image_1.png")));
        using var recorded = SafetensorsFile.Open(Path.Combine(folder, "io.safetensors"));
        using var expected = recorded.Read("pixel_values");
        Assert.Equal(expected.data<float>().ToArray(), new ImageProcessor(1).Process(image).PixelValues);
    }

    [Theory]
    [InlineData(1, 1)]
    [InlineData(2, 7)]
    [InlineData(336, 336)]
    [InlineData(337, 500)]
    [InlineData(2001, 67)]
    [InlineData(67, 2001)]
    [InlineData(1, 4000)]
    [InlineData(4000, 12)]
    public void Every_way_of_reading_rows_gives_what_pillows_formula_gives(int width, int height)
    {
        using var image = Noise(width, height);
        var processor = new ImageProcessor(20);
        var shape = HdShape.Of(width, height, 20);
        var hd = processor.Fit(image);
        for (var probe = 0; probe < 100; probe++)
        {
            var (x, y) = (probe * 7919 % hd.Width, probe * 104729 % hd.Height);
            var expected = shape.Transposed
                ? Pillow((u, v) => image[v, u], height, width, shape, y, x)
                : Pillow((u, v) => image[u, v], width, height, shape, x, y);
            Assert.Equal(expected, hd.Rgb[((y * hd.Width + x) * 3)..][..3]);
        }
    }

    [Theory]
    [InlineData(6 * 336, 6 * 336)]
    [InlineData(2 * 336, 5 * 336)]
    [InlineData(3 * 336, 2 * 336)]
    [InlineData(336, 8 * 336)]
    public void The_global_view_is_the_bicubic_one_of_the_normalised_image(int width, int height)
    {
        using var image = Noise(width, height);
        var rgb = new byte[width * height * 3];
        image.CopyPixelDataTo(rgb);
        var pixels = ImageProcessor.Views(new PaddedImage(rgb, width, height)).PixelValues;
        for (var probe = 0; probe < 2000; probe++)
        {
            var (c, y, x) = (probe % 3, probe < 1000 ? probe / 3 : 335 - (probe - 1000) / 3, probe * 7919 % 336);
            var expected = 0.0;
            foreach (var (row, down) in BicubicTaps(y, height))
            {
                foreach (var (column, across) in BicubicTaps(x, width))
                {
                    var crop = 1 + row / 336 * (width / 336) + column / 336;
                    expected += down * across * pixels[(crop * 3 + c) * 336 * 336 + row % 336 * 336 + column % 336];
                }
            }
            Assert.Equal(expected, pixels[(c * 336 + y) * 336 + x], 2e-6);
        }
    }

    [Fact]
    public void An_image_that_crops_do_not_tile_is_refused()
    {
        Assert.Throws<ArgumentException>(() => ImageProcessor.Views(new PaddedImage(new byte[335 * 336 * 3], 335, 336)));
        Assert.Throws<ArgumentException>(() => ImageProcessor.Views(new PaddedImage(new byte[336 * 336], 336, 336)));
        Assert.Throws<ArgumentException>(() => ImageProcessor.Views(new PaddedImage([], 0, 0)));
    }

    [Fact]
    public void Working_memory_is_a_few_rows_from_the_pool()
    {
        using var image = Noise(1500, 1000);
        var processor = new ImageProcessor(4);
        processor.Process(image);
        var before = GC.GetAllocatedBytesForCurrentThread();
        var result = processor.Process(image);
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before - result.PixelValues.Length * 4L, 0, 10_000);
    }

    [Fact]
    public void Threads_do_not_disturb_each_other()
    {
        using var image = Noise(300, 200);
        var processor = new ImageProcessor(4);
        var expected = processor.Process(image).PixelValues;
        Parallel.For(0, 16, _ => Assert.True(expected.AsSpan().SequenceEqual(processor.Process(image).PixelValues)));
    }

    // Two-dimensional from the definition: the pass across rounded to bytes, then the pass down. In landscape orientation.
    private static byte[] Pillow(Func<int, int, Rgb24> source, int width, int height, HdShape shape, int x, int y)
    {
        y -= shape.PadTop;
        if (y < 0 || y >= shape.ResizedHeight) return [255, 255, 255];
        var result = new byte[3];
        for (var c = 0; c < 3; c++)
        {
            result[c] = Sum(
                PillowTaps(height, shape.ResizedHeight, y), v => Sum(PillowTaps(width, shape.Width, x), u => Channel(source(u, v), c)));
        }
        return result;

        static byte Channel(Rgb24 pixel, int c) => c == 0 ? pixel.R : c == 1 ? pixel.G : pixel.B;

        static byte Sum(IEnumerable<(int Source, int Weight)> taps, Func<int, byte> at) =>
            (byte)Math.Clamp((taps.Sum(tap => (long)tap.Weight * at(tap.Source)) + (1 << 21)) >> 22, 0, 255);
    }

    private static List<(int Source, int Weight)> PillowTaps(int size, int newSize, int i)
    {
        var step = size / (double)newSize;
        var support = Math.Max(step, 1);
        var center = (i + 0.5) * step;
        var start = Math.Max((int)(center - support + 0.5), 0);
        var sources = Enumerable.Range(start, Math.Min((int)(center + support + 0.5), size) - start).ToList();
        var shares = sources.Select(j => Math.Max(0, 1 - Math.Abs((j - center + 0.5) * (1.0 / support)))).ToList();
        var total = shares.Aggregate(0.0, (sum, share) => sum + share);
        return [.. sources.Zip(shares, (j, share) => (j, (int)(0.5 + share / total * (1 << 22))))];
    }

    private static IEnumerable<(int Source, double Weight)> BicubicTaps(int i, int size)
    {
        var factor = size / 336;
        if (factor % 2 == 1) return [(factor * i + factor / 2, 1)];
        double[] weights = [-0.09375, 0.59375, 0.59375, -0.09375];
        return weights.Select((weight, j) => (Math.Clamp(factor * i + factor / 2 - 2 + j, 0, size - 1), weight));
    }

    private static Image<Rgb24> Noise(int width, int height)
    {
        var random = new Random(5);
        var image = new Image<Rgb24>(width, height);
        for (var y = 0; y < height; y++)
            for (var x = 0; x < width; x++) image[x, y] = new Rgb24((byte)random.Next(256), (byte)random.Next(256), (byte)random.Next(256));
        return image;
    }
}
