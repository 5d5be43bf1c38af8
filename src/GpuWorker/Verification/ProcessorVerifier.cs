using System.Text.Json;
using FunctionsPipeline.Phi3Vision;

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
                foreach (var report in CaseFolders.Report(folder, [folder], (_, _) => [Entry(folder, entry, normalization)]))
                    yield return report;
        }
        if (!File.Exists(Path.Combine(folder, SizesName))) yield break;
        using var sizes = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(folder, SizesName)));
        yield return SizesComparison.Compare(sizes.RootElement, $"{name} sizes");
    }

    private static CaseReport Entry(string folder, JsonElement entry, Normalization normalization)
    {
        var (file, numCrops) = (entry.GetProperty("image").GetString()!, entry.GetProperty("num_crops").GetInt32());
        using var image = PictureFile.Load(folder, file);
        var name = $"{file} ≤{numCrops} crops";
        var frame = PictureFrame.Measure(image.Width, image.Height, numCrops);
        if (frame is null) return new CaseReport(name, [new Comparison("size", double.PositiveInfinity, 0, "the picture is refused")], []);
        var processor = new ImageProcessor(numCrops);
        var picture = new ProcessedPicture(
            folder, image.Width, image.Height, numCrops, frame, processor.Fit(image), processor.Process(image), normalization);
        var comparisons = new List<Comparison>();
        var unknown = new List<string>();
        foreach (var field in entry.EnumerateObject())
        {
            if (field.Name is "image" or "num_crops" || field.Value.ValueKind == JsonValueKind.Null) continue;
            if (picture.Compare(field.Name, field.Value) is { } comparison) comparisons.Add(comparison);
            else unknown.Add($"{field.Name}: unknown");
        }
        // Needs no recording: compares every value of every crop with the normalised bytes of the resized image.
        comparisons.Add(picture.CropValues());
        return new CaseReport(name, comparisons, unknown);
    }
}
