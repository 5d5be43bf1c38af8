using FunctionsPipeline.Images;
using FunctionsPipeline.Phi3Vision;
using static TorchSharp.torch;

namespace FunctionsPipeline.GpuWorker.Verification;

/// <summary>Compares the image files of a case, where it has them, with the recorded pixels.</summary>
internal static class RecordedPictures
{
    // Largest relative rounding error of bfloat16, whose significand has 8 bits: half a step of 2^-7.
    private const double HalfBfloat16 = 1.0 / 256;

    /// <param name="notChecked">Outputs that cannot be compared, each with the reason.</param>
    public static IReadOnlyList<Comparison> Compare(ModelCase recorded, out IReadOnlyList<string> notChecked)
    {
        notChecked = [];
        if (!recorded.Description.TryGetProperty("image_files", out var files) || files.GetArrayLength() == 0) return [];
        if (!recorded.Has("pixel_values") || !recorded.Description.TryGetProperty("num_crops", out var numCrops))
        {
            notChecked = ["image_files: pixel_values or num_crops are not recorded"];
            return [];
        }
        using var scope = NewDisposeScope();
        var replaced = recorded.Description.TryGetProperty("global_view_replaced", out var flag) && flag.GetBoolean();
        if (replaced) notChecked = ["pixel_values of global views: they were replaced"];
        var stored = recorded.Read("pixel_values");
        var pixels = stored.to(ScalarType.Float32).contiguous();
        var tolerance = stored.dtype == ScalarType.BFloat16 ? HalfBfloat16 * pixels.abs().max().item<float>() : Tolerances.Pixels;
        var expected = pixels.data<float>().ToArray();
        var perImage = expected.Length / (int)pixels.shape[0];
        var processor = new ImageProcessor(numCrops.GetInt32());
        var (worst, sizes) = (0.0, new List<long>());
        foreach (var (file, i) in files.EnumerateArray().Select((file, i) => (file.GetString()!, i)))
        {
            var path = Path.Combine(recorded.Folder, file);
            if (Path.GetFileName(file) != file || !File.Exists(path)) throw new InvalidDataException($"'{path}' is missing.");
            using var picture = ImageReader.Read(File.ReadAllBytes(path));
            var processed = processor.Process(picture);
            sizes.AddRange([processed.Height, processed.Width]);
            worst = Math.Max(worst, Largest(expected.AsSpan(i * perImage, perImage), processed, skipGlobal: replaced));
        }
        return
        [
            new Comparison("pixel_values", worst, tolerance),
            Comparison.Exact("image_sizes", TensorDifference.Integers(recorded.Read("image_sizes")), sizes),
        ];
    }

    /// <summary>Returns the largest difference over all views. Views beyond the processed ones are filler and must be zero.</summary>
    private static double Largest(ReadOnlySpan<float> expected, ProcessedImage processed, bool skipGlobal)
    {
        const int view = 3 * Phi3VisionConfig.ViewSize * Phi3VisionConfig.ViewSize;
        if (expected.Length < processed.Views * view) return double.PositiveInfinity;
        var worst = 0.0;
        for (var i = skipGlobal ? view : 0; i < expected.Length; i++)
            worst = Math.Max(worst, Math.Abs(expected[i] - (i < processed.Views * view ? processed.PixelValues[i] : 0f)));
        return worst;
    }
}
