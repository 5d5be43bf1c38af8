using System.Text.Json;

namespace FunctionsPipeline.LocalHost;

/// <summary>The part of host.json that the local host follows.</summary>
internal sealed record HostSettings
{
    public string RoutePrefix { get; init; } = "api";

    public int MaxConcurrentActivities { get; init; } = 10 * Environment.ProcessorCount;

    public int MaxConcurrentOrchestrators { get; init; } = 10 * Environment.ProcessorCount;

    public int MaxConcurrentBlobs { get; init; } = 4;

    /// <summary>Tries a blob gets before it is put aside.</summary>
    public int BlobTries { get; init; } = 5;

    /// <exception cref="InvalidOperationException">The file is missing, no JSON, or a value is out of range.</exception>
    public static HostSettings Load(string? path)
    {
        path ??= Path.Combine(AppContext.BaseDirectory, "host.json") is var beside && File.Exists(beside) ? beside : null;
        if (path is null) return new HostSettings();
        try
        {
            var reading = new JsonDocumentOptions { CommentHandling = JsonCommentHandling.Skip };
            using var document = JsonDocument.Parse(File.ReadAllBytes(path), reading);
            var defaults = new HostSettings();
            return new HostSettings
            {
                RoutePrefix = Find(document, "http", "routePrefix")?.GetString()?.Trim('/') ?? defaults.RoutePrefix,
                MaxConcurrentActivities =
                    Count(document, path, "durableTask", "maxConcurrentActivityFunctions") ?? defaults.MaxConcurrentActivities,
                MaxConcurrentOrchestrators =
                    Count(document, path, "durableTask", "maxConcurrentOrchestratorFunctions") ?? defaults.MaxConcurrentOrchestrators,
                MaxConcurrentBlobs = Count(document, path, "blobs", "maxDegreeOfParallelism") ?? defaults.MaxConcurrentBlobs,
                BlobTries = Count(document, path, "blobs", "poisonBlobThreshold") ?? defaults.BlobTries,
            };
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or JsonException)
        {
            throw new InvalidOperationException($"{path} cannot be read: {e.Message}", e);
        }
    }

    private static JsonElement? Find(JsonDocument document, string extension, string name) =>
        document.RootElement.TryGetProperty("extensions", out var extensions) && extensions.TryGetProperty(extension, out var section)
        && section.TryGetProperty(name, out var value) ? value : null;

    private static int? Count(JsonDocument document, string path, string extension, string name)
    {
        if (Find(document, extension, name) is not { } value) return null;
        return value.ValueKind == JsonValueKind.Number && value.TryGetInt32(out var count) && count > 0
            ? count
            : throw new InvalidOperationException(
                $"{path}: extensions.{extension}.{name} must be a whole number above 0, and is {value.GetRawText()}.");
    }
}
