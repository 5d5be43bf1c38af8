using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text.Json;
using FunctionsPipeline.Phi3Vision;
using SixLabors.ImageSharp;
using SixLabors.ImageSharp.PixelFormats;

namespace FunctionsPipeline.Tests.Phi3Vision;

/// <summary>Pictures against what the published image processor made of them.</summary>
public sealed class ImageProcessorGoldenTests
{
    private const string Folder = "golden/processor";
    private const int Plane = 336 * 336;

    [TestDataFact($"{Folder}/expected.json")]
    public void Resized_and_padded_pictures_are_the_published_ones_bit_for_bit()
    {
        using var expected = JsonDocument.Parse(File.ReadAllBytes(TestData.Path($"{Folder}/expected.json")));
        foreach (var entry in expected.RootElement.GetProperty("entries").EnumerateArray())
        {
            using var image = Load(entry.GetProperty("image").GetString()!);
            var rgb = new byte[image.Width * image.Height * 3];
            image.CopyPixelDataTo(rgb);
            var (hd, width, height) = new ImageProcessor(entry.GetProperty("num_crops").GetInt32()).Hd(rgb, image.Width, image.Height);
            Assert.Equal([entry.GetProperty("hd_wh")[0].GetInt32(), entry.GetProperty("hd_wh")[1].GetInt32()], new[] { width, height });
            Assert.Equal(entry.GetProperty("hd_rgb_sha256").GetString(), Convert.ToHexStringLower(SHA256.HashData(hd)));
        }
    }

    [TestDataFact($"{Folder}/expected.json")]
    public void Views_hold_the_published_values()
    {
        using var expected = JsonDocument.Parse(File.ReadAllBytes(TestData.Path($"{Folder}/expected.json")));
        foreach (var entry in expected.RootElement.GetProperty("entries").EnumerateArray())
        {
            using var image = Load(entry.GetProperty("image").GetString()!);
            var processed = new ImageProcessor(entry.GetProperty("num_crops").GetInt32()).Process(image);
            Assert.Equal(entry.GetProperty("num_img_tokens").GetInt32(), processed.Tokens);
            Assert.Equal(entry.GetProperty("crop_count").GetInt32() + 1, processed.Views);
            Assert.Equal(processed.Views * 3 * Plane, processed.PixelValues.Length);
            foreach (var sample in entry.GetProperty("samples_crop_c_y_x_value").EnumerateArray())
            {
                var (view, channel, y, x) = (sample[0].GetInt32(), sample[1].GetInt32(), sample[2].GetInt32(), sample[3].GetInt32());
                if (view < processed.Views) Assert.Equal(sample[4].GetSingle(), processed.PixelValues[(view * 3 + channel) * Plane + y * 336 + x], view == 0 ? 2e-6f : 0f);
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
            // A .npy of float32 (3, 336, 336): the values end the file.
            var expected = MemoryMarshal.Cast<byte, float>(File.ReadAllBytes(file).AsSpan()[^(3 * Plane * 4)..]);
            var worst = 0f;
            for (var i = 0; i < expected.Length; i++) worst = Math.Max(worst, Math.Abs(expected[i] - actual[i]));
            Assert.InRange(worst, 0, 2e-6f);
        }
    }

    [TestDataFact($"{Folder}/sizes.json")]
    public void Sizes_are_the_published_ones_also_where_the_division_falls_below_the_integer()
    {
        using var sizes = JsonDocument.Parse(File.ReadAllBytes(TestData.Path($"{Folder}/sizes.json")));
        foreach (var row in sizes.RootElement.GetProperty("rows").EnumerateArray())
        {
            var values = row.EnumerateArray().Select(value => value.GetInt32()).ToArray();
            var shape = HdShape.Of(values[0], values[1], values[2]);
            int[] actual = shape.Transposed ? [shape.ResizedHeight, shape.Width, shape.Height, shape.Width] : [shape.Width, shape.ResizedHeight, shape.Width, shape.Height];
            Assert.Equal(values[3..7], actual);
            Assert.Equal(values[7], ProcessedImage.TokensOf(rows: actual[3] / 336, columns: actual[2] / 336));
        }
    }

    private static Image<Rgb24> Load(string file) => Image.Load<Rgb24>(TestData.Path($"{Folder}/{file}"));
}
