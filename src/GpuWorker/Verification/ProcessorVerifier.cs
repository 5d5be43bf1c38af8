using System.Buffers.Binary;
using System.Globalization;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.RegularExpressions;
using FunctionsPipeline.Images;
using FunctionsPipeline.Phi3Vision.Config;
using FunctionsPipeline.Phi3Vision.Images;
using SixLabors.ImageSharp;
using SixLabors.ImageSharp.PixelFormats;

namespace FunctionsPipeline.GpuWorker.Verification;

/// <summary>Processes recorded images and compares the results with <c>expected.json</c> and <c>sizes.json</c>.</summary>
internal static class ProcessorVerifier
{
    private const string EntriesName = "expected.json";
    private const string SizesName = "sizes.json";

    /// <summary>Yields a report for each image and number of crops, one for the normalisation table and one for the sizes.</summary>
    /// <exception cref="CommandException">The folder has no recording.</exception>
    public static IEnumerable<CaseReport> Verify(string root) =>
        CaseFolders.Report(root, CaseFolders.Find(root, EntriesName, SizesName), (folder, name) => Folder(folder, name));

    private static IEnumerable<CaseReport> Folder(string folder, string name)
    {
        if (File.Exists(Path.Combine(folder, EntriesName)))
        {
            using var document = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(folder, EntriesName)));
            var normalization = Normalization.Read(folder, document.RootElement);
            yield return new CaseReport($"{name} normalisation", normalization.Compare(), []);
            foreach (var entry in document.RootElement.GetProperty("entries").EnumerateArray())
            {
                foreach (var report in CaseFolders.Report(folder, [folder], (_, _) => [Entry(folder, entry, normalization)]))
                    yield return report;
            }
        }
        if (!File.Exists(Path.Combine(folder, SizesName))) yield break;
        using var sizes = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(folder, SizesName)));
        yield return SizeTableComparison.Compare(sizes.RootElement, $"{name} sizes");
    }

    private static CaseReport Entry(string folder, JsonElement entry, Normalization normalization)
    {
        var (file, numCrops) = (entry.GetProperty("image").GetString()!, entry.GetProperty("num_crops").GetInt32());
        using var image = ImageFile.Load(folder, file);
        var name = $"{file} ≤{numCrops} crops";
        var placement = ImagePlacement.Measure(image.Width, image.Height, numCrops);
        if (placement is null)
            return new CaseReport(name, [new Comparison("size", double.PositiveInfinity, 0, "the image is refused")], []);
        var processor = new ImageProcessor(numCrops);
        var output = new ProcessorOutput(
            folder, image.Width, image.Height, numCrops, placement, processor.Fit(image), processor.Process(image), normalization);
        var comparisons = new List<Comparison>();
        var unknown = new List<string>();
        foreach (var field in entry.EnumerateObject())
        {
            if (field.Name is "image" or "num_crops" || field.Value.ValueKind == JsonValueKind.Null) continue;
            if (output.Compare(field.Name, field.Value) is { } comparison) comparisons.Add(comparison);
            else unknown.Add($"{field.Name}: unknown");
        }
        // Needs no recording: compares every value of every crop with the normalised bytes of the resized image.
        comparisons.Add(output.CropValues());
        return new CaseReport(name, comparisons, unknown);
    }
}

/// <summary>Output of the image processor for an image, compared with the image's recorded fields.</summary>
internal sealed record ProcessorOutput(
    string Folder, int Width, int Height, int NumCrops, ImagePlacement Placement, PaddedImage Hd, ProcessedImage Views,
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
        "resized_wh" => Exact(field, recorded, Placement.ResizedWidth, Placement.ResizedHeight),
        "pad_ltrb" => Exact(field, recorded, Placement.Left, Placement.Top, Placement.Right, Placement.Bottom),
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
        "global_channel_std" => Comparison.Largest(
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
        {
            for (var x = 0; x < Hd.Width; x++)
            {
                for (var channel = 0; channel < 3; channel++)
                {
                    // View 0 is the global one; the crops follow, row by row.
                    var view = 1 + y / Side * Columns + x / Side;
                    var expected = Normalization[channel, Hd.Rgb[(y * Hd.Width + x) * 3 + channel]];
                    worst = Math.Max(worst, Math.Abs(expected - Value(view, channel, y % Side, x % Side)));
                }
            }
        }
        // Values normalised by CLIP's constants reach 2.15, where neighbouring float32 numbers are 2.4e-7 apart: two such steps.
        return new Comparison("crop values", worst, 5e-7);
    }

    private Comparison CompareMeans(string field, JsonElement recorded)
    {
        var views = recorded.EnumerateArray().ToList();
        if (views.Count != Views.Views)
            return new Comparison(field, double.PositiveInfinity, Means, $"{Views.Views} views, but {views.Count} are recorded");
        var differences = views.SelectMany((channels, view) =>
            channels.EnumerateArray().Select((value, channel) => Math.Abs(value.GetDouble() - Mean(view, channel))));
        return Comparison.Largest(field, differences, Means);
    }

    private Comparison CompareSamples(string field, JsonElement recorded) => Comparison.Largest(
        field,
        recorded.EnumerateArray().Select(sample => (double)Math.Abs(
            sample[4].GetSingle() - Value(sample[0].GetInt32(), sample[1].GetInt32(), sample[2].GetInt32(), sample[3].GetInt32()))),
        Tolerances.Pixels);

    private Comparison ComparePng(string field, string file)
    {
        using var png = ImageFile.Load(Folder, file);
        return (png.Width, png.Height) == (Hd.Width, Hd.Height)
            ? Comparison.Exact(field, ImageFile.Bytes(png), Hd.Rgb)
            : new Comparison(field, double.PositiveInfinity, 0, $"is {Hd.Width}×{Hd.Height}, but {png.Width}×{png.Height} is recorded");
    }

    private Comparison CompareGlobal(string field, string file)
    {
        var (values, shape) = NpyFile.Read(Path.Combine(Folder, file));
        return shape is [3, Side, Side]
            ? Comparison.Largest(field, values.Select((value, i) => (double)Math.Abs(value - Views.PixelValues[i])), Tolerances.Pixels)
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
        // Divisor n - 1, the default of torch.std.
        return Math.Sqrt(sum / (Plane - 1));
    }

    private static Comparison Exact(string field, JsonElement recorded, params int[] actual) =>
        Comparison.Exact(
            field,
            recorded.ValueKind == JsonValueKind.Array ? recorded.EnumerateArray().Select(value => value.GetInt32()) : [recorded.GetInt32()],
            actual);
}

/// <summary>Compares <c>sizes.json</c>: for many image sizes only the processed size and the number of tokens.</summary>
internal static class SizeTableComparison
{
    /// <exception cref="InvalidDataException">A column with the input sizes is missing.</exception>
    public static CaseReport Compare(JsonElement sizes, string name)
    {
        var columns = sizes.GetProperty("columns").EnumerateArray().Select(column => column.GetString()!).ToList();
        var differing = columns.ToDictionary(column => column, _ => new List<string>());
        var known = new HashSet<string>();
        foreach (var row in sizes.GetProperty("rows").EnumerateArray())
        {
            int Recorded(string column) => columns.IndexOf(column) is >= 0 and var i
                ? row[i].GetInt32()
                : throw new InvalidDataException($"sizes.json has no column '{column}'.");
            var (width, height, numCrops) = (Recorded("width"), Recorded("height"), Recorded("num_crops"));
            var placement = ImagePlacement.Measure(width, height, numCrops);
            foreach (var column in columns)
            {
                if (Measured(column, placement) is not { } actual) continue;
                known.Add(column);
                if (actual != Recorded(column))
                    differing[column].Add($"{width}×{height} at {numCrops} crops: {actual}, but {Recorded(column)} is recorded");
            }
        }
        Comparison Of(string column) => new(column, differing[column].Count, 0, differing[column].FirstOrDefault());
        var unknown = columns.Where(column => !known.Contains(column) && column is not ("width" or "height" or "num_crops"));
        return new CaseReport(name, [.. columns.Where(known.Contains).Select(Of)], [.. unknown.Select(column => $"{column}: unknown")]);
    }

    // A refused image has no placement and is recorded with size 0.
    private static int? Measured(string column, ImagePlacement? placement) => column switch
    {
        "resized_w" => placement?.ResizedWidth ?? 0,
        "resized_h" => placement?.ResizedHeight ?? 0,
        "hd_w" => placement?.Width ?? 0,
        "hd_h" => placement?.Height ?? 0,
        "num_img_tokens" => placement?.Tokens ?? 0,
        _ => null,
    };
}

/// <summary>
/// Measures where the image processor puts an image of a given size, independently of its content. The probe is a black image: resizing
/// keeps it black and padding is white, so that the edges are visible.
/// </summary>
/// <param name="Width">Width of the resized and padded image, in pixels.</param>
/// <param name="ResizedWidth">Width before padding, in pixels.</param>
/// <param name="Left">Number of padding columns on the left.</param>
/// <param name="Top">Number of padding rows at the top.</param>
internal sealed record ImagePlacement(int Width, int Height, int ResizedWidth, int ResizedHeight, int Left, int Top)
{
    /// <summary>Number of padding columns on the right.</summary>
    public int Right => Width - ResizedWidth - Left;

    /// <summary>Number of padding rows at the bottom.</summary>
    public int Bottom => Height - ResizedHeight - Top;

    /// <summary>Number of positions that the image takes in a prompt.</summary>
    public int Tokens => ProcessedImage.TokensOf(Height / Phi3VisionConfig.ViewSize, Width / Phi3VisionConfig.ViewSize);

    /// <returns>The placement; null for an image that is refused because it is too thin.</returns>
    public static ImagePlacement? Measure(int width, int height, int numCrops)
    {
        using var black = new Image<Rgb24>(width, height, new Rgb24(0, 0, 0));
        PaddedImage fitted;
        try
        {
            fitted = new ImageProcessor(numCrops).Fit(black);
        }
        catch (UnreadableImageException)
        {
            return null;
        }
        bool IsBlack(int x, int y) => fitted.Rgb[(y * fitted.Width + x) * 3] == 0;
        var columns = Enumerable.Range(0, fitted.Width).Where(x => IsBlack(x, Middle(fitted.Height))).ToList();
        var rows = Enumerable.Range(0, fitted.Height).Where(y => IsBlack(Middle(fitted.Width), y)).ToList();
        return columns.Count == 0 || rows.Count == 0
            ? new ImagePlacement(fitted.Width, fitted.Height, 0, 0, 0, 0)
            : new ImagePlacement(fitted.Width, fitted.Height, columns.Count, rows.Count, columns[0], rows[0]);
    }

    // The resized image is centred, with an odd pixel of padding on the right or bottom, so this coordinate is inside however thin the
    // image is.
    private static int Middle(int side) => (side - 1) / 2;
}

/// <summary>
/// Normalised value of each byte of each channel: as recorded, or (byte / 255 - mean) / deviation in float32 when no table is recorded.
/// </summary>
internal sealed class Normalization
{
    private readonly float[] _table;
    private readonly float[] _computed;

    private Normalization(float[] table, float[] computed) => (_table, _computed) = (table, computed);

    /// <summary>Returns the value of a byte in a channel (0 red, 1 green, 2 blue).</summary>
    public float this[int channel, byte value] => _table[channel * 256 + value];

    /// <exception cref="InvalidDataException">The recording has neither a table nor a mean and a deviation.</exception>
    public static Normalization Read(string folder, JsonElement expected)
    {
        var path = Path.Combine(folder, "normalize_lut.npy");
        var recorded = File.Exists(path) ? NpyFile.Read(path).Values : null;
        if (recorded is not null && recorded.Length != 3 * 256)
            throw new InvalidDataException($"'{path}' is no table of 3 times 256 values.");
        var computed = expected.TryGetProperty("image_mean", out var mean) && expected.TryGetProperty("image_std", out var deviation)
            ? Enumerable.Range(0, 3 * 256)
                // Entry channel · 256 + byte. Division by 255 is torchvision's ToTensor, the rest its Normalize.
                .Select(i => (i % 256 / 255f - mean[i / 256].GetSingle()) / deviation[i / 256].GetSingle()).ToArray()
            : recorded ?? throw new InvalidDataException($"'{folder}' has neither normalize_lut.npy nor image_mean and image_std.");
        return new Normalization(recorded ?? computed, computed);
    }

    /// <summary>Compares the recorded table with the values computed from mean and deviation.</summary>
    public IReadOnlyList<Comparison> Compare() =>
        [Comparison.Largest("normalize_lut", _table.Zip(_computed, (a, b) => (double)Math.Abs(a - b)), 5e-7)];
}

/// <summary>Reads the images of a recording with the decoder that reads uploads.</summary>
internal static class ImageFile
{
    /// <exception cref="InvalidDataException">The file is missing or not an image.</exception>
    public static Image<Rgb24> Load(string folder, string file)
    {
        var path = Path.Combine(folder, file);
        if (!File.Exists(path)) throw new InvalidDataException($"'{path}' is missing.");
        try
        {
            return ImageReader.Read(File.ReadAllBytes(path));
        }
        catch (UnreadableImageException e)
        {
            throw new InvalidDataException($"'{path}' is no image: {e.Message}", e);
        }
    }

    /// <summary>Copies the pixels row by row, as interleaved RGB bytes.</summary>
    public static byte[] Bytes(Image<Rgb24> image)
    {
        var rgb = new byte[image.Width * image.Height * 3];
        image.CopyPixelDataTo(rgb);
        return rgb;
    }
}

/// <summary>Reads float32 arrays from NumPy's .npy files (versions 1 to 3, C order, little-endian).</summary>
internal static partial class NpyFile
{
    /// <returns>The values in C order, and the shape.</returns>
    /// <exception cref="InvalidDataException">The file has another format.</exception>
    public static (float[] Values, int[] Shape) Read(string path)
    {
        if (!File.Exists(path)) throw new InvalidDataException($"'{path}' is missing.");
        // NumPy's format: 6 bytes of magic, major and minor version, the length of the header (little-endian), the header, a Python dict
        // padded with spaces, then the values.
        var bytes = File.ReadAllBytes(path);
        if (bytes.Length < 12 || !bytes.AsSpan(0, 6).SequenceEqual(Magic)) throw Unusable(path, "it does not begin as a .npy file");
        // The header's length takes two bytes in version 1 and four from version 2 on.
        var (start, length) = bytes[6] == 1
            ? (10, BinaryPrimitives.ReadUInt16LittleEndian(bytes.AsSpan(8)))
            : (12, (long)BinaryPrimitives.ReadUInt32LittleEndian(bytes.AsSpan(8)));
        if (start + length > bytes.Length) throw Unusable(path, "its header is cut off");
        var header = Encoding.UTF8.GetString(bytes, start, (int)length);
        var match = Header().Match(header);
        if (!match.Success) throw Unusable(path, $"it is no float32 array in C order: {header.Trim()}");
        int[] shape = [.. match.Groups["side"].Captures.Select(side => int.Parse(side.Value, CultureInfo.InvariantCulture))];
        var data = bytes.AsSpan((int)(start + length));
        if (data.Length != shape.Aggregate(4L, (product, side) => product * side))
            throw Unusable(path, "it has not as many values as its shape says");
        // No bytes are swapped: '<f4' is little-endian, as are x64 and Arm64.
        return (MemoryMarshal.Cast<byte, float>(data).ToArray(), shape);
    }

    private static ReadOnlySpan<byte> Magic => [0x93, (byte)'N', (byte)'U', (byte)'M', (byte)'P', (byte)'Y'];

    private static InvalidDataException Unusable(string path, string why) => new($"'{path}' is not usable: {why}.");

    // numpy.save writes the keys in alphabetical order, and shapes as Python tuples: (), (768,), (3, 336, 336).
    [GeneratedRegex(@"'descr': '<f4', 'fortran_order': False, 'shape': \((?:(?<side>[0-9]+),? ?)*\)", RegexOptions.CultureInvariant)]
    private static partial Regex Header();
}
