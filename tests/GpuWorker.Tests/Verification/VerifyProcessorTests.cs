using System.Runtime.InteropServices;
using System.Text;
using FunctionsPipeline.Tests;

namespace FunctionsPipeline.GpuWorker.Tests.Verification;

[Collection(nameof(ConsoleCollection))]
public sealed class VerifyProcessorTests : IDisposable
{
    // An image of 80×60 pixels of one colour: 336×252 after resizing, with 42 white rows above and below.
    private const string Expected =
        """
        {
          "image_mean": [0.48145466, 0.4578275, 0.40821073], "image_std": [0.26862954, 0.26130258, 0.27577711],
          "entries": [{
            "image": "images/80x60.png", "width": 80, "height": 60, "num_crops": 1, "transposed": false, "resized_wh": [336, 252],
            "pad_ltrb": [0, 42, 0, 42], "hd_wh": [336, 336], "image_size_hw": [336, 336], "crops_hw": [1, 1], "crop_count": 1,
            "num_img_tokens": 313, "pixel_values_shape": [2, 3, 336, 336], "padding_crops_all_zero": true, "hd_png": null,
            "crop_channel_means": [[1.3281512, -0.4576771, -0.2537391], [1.3281512, -0.4576771, -0.2537391]],
            "samples_crop_c_y_x_value": [[1, 0, 0, 0, 1.9303363], [1, 0, 42, 0, 1.1274228], [0, 2, 100, 5, -1.0536178]]
          }]
        }
        """;

    private readonly string _folder = Directory.CreateTempSubdirectory("verify-").FullName;

    public VerifyProcessorTests()
    {
        Directory.CreateDirectory(Path.Combine(_folder, "images"));
        File.WriteAllBytes(Path.Combine(_folder, "images", "80x60.png"), TestImages.Png());
    }

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public async Task Images_and_sizes_agree()
    {
        var (code, output, error) = await VerifyAsync(
            Expected, "[80, 60, 1, 336, 252, 336, 336, 313], [60, 80, 4, 504, 672, 672, 672, 757]");
        Assert.True(code == 0, output + error);
        Assert.Contains("images/80x60.png ≤1 crops: width 0 (0)", output);
        Assert.Contains("crop values 0 (5.0e-07)", output);
        Assert.Contains("sizes: resized_w 0 (0)", output);
        Assert.DoesNotContain("hd_png", output);
    }

    [Theory]
    [InlineData("\"pad_ltrb\": [0, 42, 0, 42]", "\"pad_ltrb\": [0, 41, 0, 43]", "pad_ltrb 2 (0)")]
    [InlineData("\"transposed\": false", "\"transposed\": true", "transposed 1 (0)")]
    [InlineData("1.1274228", "1.1284228", "samples_crop_c_y_x_value 1.0e-03")]
    [InlineData("[[1.3281512,", "[[1.3381512,", "crop_channel_means 1.0e-02")]
    [InlineData("\"padding_crops_all_zero\": true", "\"padding_crops_all_zero\": false", "padding_crops_all_zero 1")]
    [InlineData("\"hd_png\": null", "\"hd_rgb_sha256\": \"00\"", "hd_rgb_sha256 1 (0)")]
    [InlineData("\"hd_png\": null", "\"hd_png\": \"images/80x60.png\"", "hd_png inf")]
    [InlineData("\"num_img_tokens\": 313", "\"num_img_tokens\": 314", "num_img_tokens 1 (0)")]
    public async Task What_differs_is_named_and_ends_with_1(string recorded, string instead, string expected)
    {
        Assert.Contains(recorded, Expected);
        var (code, output, error) = await VerifyAsync(Expected.Replace(recorded, instead));
        Assert.True(code == 1, output + error);
        Assert.Contains("DIFFERS ", output);
        Assert.Contains(expected, output.Replace("∞", "inf").Replace("Infinity", "inf"));
    }

    [Fact]
    public async Task A_recorded_value_that_is_no_number_differs()
    {
        var values = new float[3 * 336 * 336];
        values[0] = float.NaN;
        var header = "{'descr': '<f4', 'fortran_order': False, 'shape': (3, 336, 336), }".PadRight(117) + "\n";
        byte[] magic = [0x93, .. "NUMPY"u8, 1, 0, (byte)header.Length, 0];
        await File.WriteAllBytesAsync(
            Path.Combine(_folder, "global.npy"), [.. magic, .. Encoding.ASCII.GetBytes(header), .. MemoryMarshal.AsBytes(values.AsSpan())]);
        var (code, output, error) = await VerifyAsync(Expected.Replace("\"hd_png\": null", "\"global_npy\": \"global.npy\""));
        Assert.True(code == 1, output + error);
        Assert.Contains("global_npy NaN", output);
    }

    [Fact]
    public async Task A_size_that_differs_is_named_and_ends_with_1()
    {
        var (code, output, _) = await VerifyAsync(null, "[80, 60, 1, 336, 252, 336, 336, 313], [21, 19, 1, 336, 304, 336, 336, 313]");
        Assert.Equal(1, code);
        Assert.Contains("resized_h 1 (0) <- 21×19 at 1 crops: 303, but 304 is recorded", output);
    }

    [Fact]
    public async Task A_field_that_means_nothing_is_not_passed_over_in_silence()
    {
        var (code, output, _) = await VerifyAsync(Expected.Replace("\"hd_png\": null", "\"sharpness\": 3"));
        Assert.Equal(0, code);
        Assert.Contains("not checked: sharpness: unknown", output);
    }

    [Theory]
    [InlineData("{", "unreadable")]
    [InlineData("{\"entries\": []}", "neither normalize_lut.npy nor image_mean")]
    [InlineData("{\"image_mean\": [0,0,0], \"image_std\": [1,1,1], \"entries\": [{\"image\": \"gone.png\", \"num_crops\": 1}]}",
        "gone.png' is missing")]
    public async Task A_recording_that_cannot_be_read_ends_with_2(string expected, string message)
    {
        var (code, output, _) = await VerifyAsync(expected);
        Assert.Equal(2, code);
        Assert.Contains(message, output);
    }

    [TestDataFact("golden/processor/sizes.json")]
    public async Task The_sizes_of_the_shared_data_agree()
    {
        File.Copy(TestData.Path("golden/processor/sizes.json"), Path.Combine(_folder, "sizes.json"));
        var (code, output, error) = await VerifyAsync(null);
        Assert.True(code == 0, output + error);
    }

    private Task<(int Code, string Output, string Error)> VerifyAsync(string? expected, string? sizes = null)
    {
        if (expected is not null) File.WriteAllText(Path.Combine(_folder, "expected.json"), expected);
        if (sizes is not null)
        {
            File.WriteAllText(Path.Combine(_folder, "sizes.json"),
                "{\"columns\": [\"width\",\"height\",\"num_crops\",\"resized_w\",\"resized_h\",\"hd_w\",\"hd_h\",\"num_img_tokens\"], "
                + $"\"rows\": [{sizes}]}}");
        }
        return ConsoleRun.RunAsync("verify", "processor", _folder);
    }
}
