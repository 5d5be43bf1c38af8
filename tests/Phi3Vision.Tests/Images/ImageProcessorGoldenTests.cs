using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text.Json;
using FunctionsPipeline.Images;
using FunctionsPipeline.Phi3Vision.Images;
using FunctionsPipeline.Tests;
using SixLabors.ImageSharp;
using SixLabors.ImageSharp.PixelFormats;

namespace FunctionsPipeline.Phi3Vision.Tests.Images;

/// <summary>Images against what the published image processor made of them.</summary>
public sealed class ImageProcessorGoldenTests
{
    private const string Folder = "golden/processor";
    private const int Plane = 336 * 336;

    [TestDataFact($"{Folder}/expected.json")]
    public void Shapes_are_the_published_ones()
    {
        foreach (var entry in Entries())
        {
            using var image = Load(entry);
            Assert.Equal((Int(entry, "width"), Int(entry, "height")), (image.Width, image.Height));
            var numCrops = Int(entry, "num_crops");
            var shape = HdShape.Of(image.Width, image.Height, numCrops);
            var bottom = shape.Height - shape.PadTop - shape.ResizedHeight;
            Assert.Equal(entry.GetProperty("transposed").GetBoolean(), shape.Transposed);
            int[] resized = shape.Transposed ? [shape.ResizedHeight, shape.Width] : [shape.Width, shape.ResizedHeight];
            Assert.Equal(Ints(entry, "resized_wh"), resized);
            Assert.Equal(Ints(entry, "pad_ltrb"), shape.Transposed ? new[] { shape.PadTop, 0, bottom, 0 } : [0, shape.PadTop, 0, bottom]);
            Assert.Equal(Ints(entry, "hd_wh"), new[] { shape.PaddedSize.Width, shape.PaddedSize.Height });

            var processed = new ImageProcessor(numCrops).Process(image);
            Assert.Equal(Ints(entry, "image_size_hw"), new[] { processed.Height, processed.Width });
            Assert.Equal(Ints(entry, "crops_hw"), new[] { processed.Height / 336, processed.Width / 336 });
            Assert.Equal(Int(entry, "crop_count") + 1, processed.Views);
            Assert.Equal(Int(entry, "num_img_tokens"), processed.Tokens);
            // The published array ends with crops of zeros, which are left out here.
            Assert.Equal([numCrops + 1, 3, 336, 336], Ints(entry, "pixel_values_shape"));
            Assert.True(entry.GetProperty("padding_crops_all_zero").GetBoolean());
            Assert.InRange(processed.Views, 2, numCrops + 1);
            Assert.Equal(processed.Views * 3 * Plane, processed.PixelValues.Length);
        }
    }

    [TestDataFact($"{Folder}/expected.json")]
    public void Resized_and_padded_images_are_the_published_ones_bit_for_bit()
    {
        foreach (var entry in Entries())
        {
            using var image = Load(entry);
            var hd = new ImageProcessor(Int(entry, "num_crops")).Fit(image);
            Assert.Equal(entry.GetProperty("hd_rgb_sha256").GetString(), Convert.ToHexStringLower(SHA256.HashData(hd.Rgb)));
            if (Int(entry, "num_crops") != 4) continue;
            var file = Path.GetFileName(entry.GetProperty("image").GetString());
            using var expected = Load($"hd4/{file}");
            var rgb = new byte[expected.Width * expected.Height * 3];
            expected.CopyPixelDataTo(rgb);
            Assert.Equal((expected.Width, expected.Height), (hd.Width, hd.Height));
            Assert.True(rgb.AsSpan().SequenceEqual(hd.Rgb));
        }
    }

    [TestDataFact($"{Folder}/expected.json")]
    public void Crops_are_the_normalised_bytes_of_the_image_and_nothing_else()
    {
        var table = Floats($"{Folder}/normalize_lut.npy", 3 * 256);
        foreach (var entry in Entries())
        {
            using var image = Load(entry);
            var processor = new ImageProcessor(Int(entry, "num_crops"));
            var (rgb, width, _) = processor.Fit(image);
            var processed = processor.Process(image);
            var wrong = 0;
            for (var crop = 0; crop < processed.Views - 1; crop++)
            {
                for (var channel = 0; channel < 3; channel++)
                {
                    for (var i = 0; i < Plane; i++)
                    {
                        var (x, y) = (crop % (width / 336) * 336 + i % 336, crop / (width / 336) * 336 + i / 336);
                        var expected = table[channel * 256 + rgb[(y * width + x) * 3 + channel]];
                        if (processed.PixelValues[((crop + 1) * 3 + channel) * Plane + i] != expected) wrong++;
                    }
                }
            }
            Assert.Equal(0, wrong);
        }
    }

    [TestDataFact($"{Folder}/expected.json")]
    public void Views_hold_the_published_values()
    {
        foreach (var entry in Entries())
        {
            using var image = Load(entry);
            var processed = new ImageProcessor(Int(entry, "num_crops")).Process(image);
            foreach (var sample in entry.GetProperty("samples_crop_c_y_x_value").EnumerateArray())
            {
                var (view, channel, y, x) = (sample[0].GetInt32(), sample[1].GetInt32(), sample[2].GetInt32(), sample[3].GetInt32());
                var actual = view < processed.Views ? processed.PixelValues[(view * 3 + channel) * Plane + y * 336 + x] : 0;
                Assert.Equal(sample[4].GetSingle(), actual, view == 0 ? 2e-6f : 0f);
            }
            var means = entry.GetProperty("crop_channel_means");
            Assert.Equal(processed.Views, means.GetArrayLength());
            for (var view = 0; view < processed.Views; view++)
            {
                for (var channel = 0; channel < 3; channel++)
                {
                    var (mean, deviation) = Moments(processed.PixelValues.AsSpan((view * 3 + channel) * Plane, Plane));
                    Assert.Equal(means[view][channel].GetDouble(), mean, 1e-5);
                    if (view == 0) Assert.Equal(entry.GetProperty("global_channel_std")[channel].GetDouble(), deviation, 1e-5);
                }
            }
        }
    }

    [TestDataFact($"{Folder}/global4")]
    public void Global_views_are_the_published_ones()
    {
        foreach (var file in Directory.EnumerateFiles(TestData.Path($"{Folder}/global4"), "*.npy"))
        {
            using var image = Load($"images/{Path.GetFileNameWithoutExtension(file)}.png");
            var actual = new ImageProcessor(4).Process(image).PixelValues;
            var expected = Floats(file, 3 * Plane);
            var worst = 0f;
            for (var i = 0; i < expected.Length; i++) worst = Math.Max(worst, Math.Abs(expected[i] - actual[i]));
            Assert.InRange(worst, 0, 2e-6f);
        }
    }

    private static List<JsonElement> Entries()
    {
        var root = JsonDocument.Parse(File.ReadAllBytes(TestData.Path($"{Folder}/expected.json"))).RootElement;
        return [.. root.GetProperty("entries").EnumerateArray()];
    }

    private static Image<Rgb24> Load(JsonElement entry) => Load(entry.GetProperty("image").GetString()!);

    private static Image<Rgb24> Load(string file) => ImageReader.Read(File.ReadAllBytes(TestData.Path($"{Folder}/{file}")));

    // A .npy of float32: the values end the file.
    private static ReadOnlySpan<float> Floats(string file, int count) =>
        MemoryMarshal.Cast<byte, float>(File.ReadAllBytes(TestData.Path(file)).AsSpan()[^(count * 4)..]);

    private static (double Mean, double Deviation) Moments(ReadOnlySpan<float> values)
    {
        double sum = 0, squares = 0;
        foreach (var value in values) sum += value;
        var mean = sum / values.Length;
        foreach (var value in values) squares += (value - mean) * (value - mean);
        return (mean, Math.Sqrt(squares / (values.Length - 1)));
    }

    private static int Int(JsonElement entry, string key) => entry.GetProperty(key).GetInt32();

    private static int[] Ints(JsonElement entry, string key) =>
        [.. entry.GetProperty(key).EnumerateArray().Select(value => value.GetInt32())];
}
