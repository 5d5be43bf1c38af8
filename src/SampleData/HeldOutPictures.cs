using System.Text.Json;
using FunctionsPipeline.Contracts;

namespace FunctionsPipeline.SampleData;

/// <summary>Labels of a held-out image: a line of <c>truth.jsonl</c>.</summary>
public sealed record Truth(string File, string? Title, string? Category, double? Price);

/// <summary>Writes the held-out images, which are in no split, and their labels to <c>truth.jsonl</c>.</summary>
public static class HeldOutPictures
{
    public const string TruthFile = "truth.jsonl";

    /// <summary>Draws products beyond the catalog's last row.</summary>
    public static void Write(GarmentCatalog catalog, int rows, int count, string folder) =>
        Write(folder, Enumerable.Range(rows, count).Select(catalog.WithoutDefect).Select(row =>
            (new Truth($"{row.ProductCode}.jpg", row.Garment.Title, row.Garment.Category, row.Garment.Price), catalog.Jpeg(row))));

    /// <summary>Copies the images held out of the splits.</summary>
    public static void Write(ImageFolder images, string folder) =>
        Write(folder, images.HeldOut.Select(picture =>
            (new Truth(Path.GetFileName(picture.Path), null, picture.Label, null), File.ReadAllBytes(images.FullPath(picture)))));

    private static void Write(string folder, IEnumerable<(Truth Truth, byte[] Picture)> pictures)
    {
        Directory.CreateDirectory(folder);
        var lines = new List<string>();
        foreach (var (truth, picture) in pictures)
        {
            File.WriteAllBytes(Path.Combine(folder, truth.File), picture);
            lines.Add(JsonSerializer.Serialize(truth, PipelineJson.Compact));
        }
        File.WriteAllLines(Path.Combine(folder, TruthFile), lines);
    }
}
