using System.Security.Cryptography;
using System.Text.Json;
using FunctionsPipeline.Phi3Vision;

namespace FunctionsPipeline.GpuWorker.Verification;

/// <summary>Compares an image after the image processor with its recorded fields.</summary>
internal sealed record ProcessedPicture(
    string Folder,
    int Width,
    int Height,
    int NumCrops,
    PictureFrame Frame,
    PaddedImage Hd,
    ProcessedImage Views,
    Normalization Normalization)
{
    private const int Side = Phi3VisionConfig.ViewSize;
    private const int Plane = Side * Side;
    private const double Means = 1e-5;

    private int Rows => Views.Height / Side;

    private int Columns => Views.Width / Side;

    /// <summary>Compares a field of <c>expected.json</c>; null for an unknown field.</summary>
    public Comparison? Compare(string field, JsonElement recorded) => field switch
    {
        "width" => Exact(field, recorded, Width),
        "height" => Exact(field, recorded, Height),
        "transposed" => Comparison.Exact(field, [recorded.GetBoolean()], [Height > Width]),
        "resized_wh" => Exact(field, recorded, Frame.ResizedWidth, Frame.ResizedHeight),
        "pad_ltrb" => Exact(field, recorded, Frame.Left, Frame.Top, Frame.Right, Frame.Bottom),
        "hd_wh" => Exact(field, recorded, Hd.Width, Hd.Height),
        "image_size_hw" => Exact(field, recorded, Views.Height, Views.Width),
        "crops_hw" => Exact(field, recorded, Rows, Columns),
        "crop_count" => Exact(field, recorded, Views.Views - 1),
        "num_img_tokens" => Exact(field, recorded, Views.Tokens),
        // The reference pads with zero views up to one global view plus the allowed number of crops.
        "pixel_values_shape" => Exact(field, recorded, Math.Max(NumCrops + 1, Views.Views), 3, Side, Side),
        "padding_crops_all_zero" => Comparison.Exact(field, [recorded.GetBoolean()], [true]),
        "hd_rgb_sha256" => Comparison.Exact(field, [recorded.GetString()], [Convert.ToHexStringLower(SHA256.HashData(Hd.Rgb))]),
        "crop_channel_means" => CompareMeans(field, recorded),
        "global_channel_std" => Largest(
            field, recorded.EnumerateArray().Select((value, channel) => Math.Abs(value.GetDouble() - Deviation(channel))), Means),
        "samples_crop_c_y_x_value" => CompareSamples(field, recorded),
        "hd_png" => ComparePng(field, recorded.GetString()!),
        "global_npy" => CompareGlobal(field, recorded.GetString()!),
        _ => null,
    };

    /// <summary>Compares every value of every crop with the normalised byte of the image that the crops tile.</summary>
    public Comparison CropValues()
    {
        var worst = 0.0;
        for (var y = 0; y < Hd.Height; y++)
            for (var x = 0; x < Hd.Width; x++)
                for (var channel = 0; channel < 3; channel++)
                {
                    var view = 1 + y / Side * Columns + x / Side;
                    var expected = Normalization[channel, Hd.Rgb[(y * Hd.Width + x) * 3 + channel]];
                    worst = Math.Max(worst, Math.Abs(expected - Value(view, channel, y % Side, x % Side)));
                }
        return new Comparison("crop values", worst, 5e-7);
    }

    private Comparison CompareMeans(string field, JsonElement recorded)
    {
        var views = recorded.EnumerateArray().ToList();
        if (views.Count != Views.Views)
            return new Comparison(field, double.PositiveInfinity, Means, $"{Views.Views} views, but {views.Count} are recorded");
        var differences = views.SelectMany((channels, view) =>
            channels.EnumerateArray().Select((value, channel) => Math.Abs(value.GetDouble() - Mean(view, channel))));
        return Largest(field, differences, Means);
    }

    private Comparison CompareSamples(string field, JsonElement recorded) => Largest(
        field,
        recorded.EnumerateArray().Select(sample => (double)Math.Abs(
            sample[4].GetSingle() - Value(sample[0].GetInt32(), sample[1].GetInt32(), sample[2].GetInt32(), sample[3].GetInt32()))),
        Tolerances.Pixels);

    private Comparison ComparePng(string field, string file)
    {
        using var png = PictureFile.Load(Folder, file);
        return (png.Width, png.Height) == (Hd.Width, Hd.Height)
            ? Comparison.Exact(field, PictureFile.Bytes(png), Hd.Rgb)
            : new Comparison(field, double.PositiveInfinity, 0, $"is {Hd.Width}×{Hd.Height}, but {png.Width}×{png.Height} is recorded");
    }

    private Comparison CompareGlobal(string field, string file)
    {
        var (values, shape) = NpyFile.Read(Path.Combine(Folder, file));
        return shape is [3, Side, Side]
            ? Largest(field, values.Select((value, i) => (double)Math.Abs(value - Views.PixelValues[i])), Tolerances.Pixels)
            : new Comparison(field, double.PositiveInfinity, Tolerances.Pixels, $"[{string.Join(", ", shape)}] is recorded");
    }

    // Views beyond the computed ones are filler, all zero.
    private float Value(int view, int channel, int y, int x) =>
        view < Views.Views ? Views.PixelValues[(view * 3 + channel) * Plane + y * Side + x] : 0;

    private double Mean(int view, int channel)
    {
        var sum = 0.0;
        for (var i = 0; i < Plane; i++) sum += Views.PixelValues[(view * 3 + channel) * Plane + i];
        return sum / Plane;
    }

    private double Deviation(int channel)
    {
        var (mean, sum) = (Mean(0, channel), 0.0);
        for (var i = 0; i < Plane; i++) sum += Math.Pow(Views.PixelValues[channel * Plane + i] - mean, 2);
        return Math.Sqrt(sum / (Plane - 1));
    }

    private static Comparison Exact(string field, JsonElement recorded, params int[] actual) =>
        Comparison.Exact(
            field,
            recorded.ValueKind == JsonValueKind.Array ? recorded.EnumerateArray().Select(value => value.GetInt32()) : [recorded.GetInt32()],
            actual);

    private static Comparison Largest(string field, IEnumerable<double> differences, double tolerance) =>
        // Math.Max keeps NaN, which Enumerable.Max passes over.
        new(field, differences.Aggregate(0.0, Math.Max), tolerance);
}
