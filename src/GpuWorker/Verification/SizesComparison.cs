using System.Text.Json;

namespace FunctionsPipeline.GpuWorker.Verification;

/// <summary>Compares <c>sizes.json</c>: for many image sizes only the processed size and the number of tokens.</summary>
internal static class SizesComparison
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
            var frame = PictureFrame.Measure(width, height, numCrops);
            foreach (var column in columns)
            {
                if (Measured(column, frame) is not { } actual) continue;
                known.Add(column);
                if (actual != Recorded(column))
                    differing[column].Add($"{width}×{height} at {numCrops} crops: {actual}, but {Recorded(column)} is recorded");
            }
        }
        Comparison Of(string column) => new(column, differing[column].Count, 0, differing[column].FirstOrDefault());
        var unknown = columns.Where(column => !known.Contains(column) && column is not ("width" or "height" or "num_crops"));
        return new CaseReport(name, [.. columns.Where(known.Contains).Select(Of)], [.. unknown.Select(column => $"{column}: unknown")]);
    }

    // A refused image has no frame and is recorded with size 0.
    private static int? Measured(string column, PictureFrame? frame) => column switch
    {
        "resized_w" => frame?.ResizedWidth ?? 0,
        "resized_h" => frame?.ResizedHeight ?? 0,
        "hd_w" => frame?.Width ?? 0,
        "hd_h" => frame?.Height ?? 0,
        "num_img_tokens" => frame?.Tokens ?? 0,
        _ => null,
    };
}
