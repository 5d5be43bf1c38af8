using System.Text.Json;
using FunctionsPipeline.Contracts;

namespace FunctionsPipeline.LocalHost.Demo;

/// <summary>Image in no split, with its true title, category and price: a line of <c>truth.jsonl</c>.</summary>
public sealed record HeldOutImage(string File, string? Title, string? Category, double? Price)
{
    /// <summary>Reads the file <c>truth.jsonl</c> in a folder.</summary>
    public static IReadOnlyList<HeldOutImage> Load(string folder) =>
        [.. System.IO.File.ReadLines(Path.Combine(folder, "truth.jsonl"))
            .Select(line => JsonSerializer.Deserialize<HeldOutImage>(line, PipelineJson.Compact)!)];
}
