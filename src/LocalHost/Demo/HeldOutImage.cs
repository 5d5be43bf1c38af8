using System.Text.Json;
using FunctionsPipeline.Contracts;

namespace FunctionsPipeline.LocalHost.Demo;

/// <summary>An image that is in no split, and what it shows: a line of <c>truth.jsonl</c>.</summary>
public sealed record HeldOutImage(string File, string? Title, string? Category, double? Price)
{
    /// <summary>Reads <c>truth.jsonl</c> in a folder.</summary>
    public static IReadOnlyList<HeldOutImage> Load(string folder) =>
        [.. System.IO.File.ReadLines(Path.Combine(folder, "truth.jsonl"))
            .Select(line => JsonSerializer.Deserialize<HeldOutImage>(line, PipelineJson.Compact)!)];
}
