using System.Text.Json;
using System.Text.Json.Nodes;

namespace FunctionsPipeline.Phi3Vision;

/// <summary>Reads and writes <c>model.safetensors.index.json</c>, which maps each tensor of a sharded checkpoint to its file.</summary>
internal static class CheckpointIndex
{
    /// <summary>Name of the file in a model folder.</summary>
    public const string FileName = "model.safetensors.index.json";

    private const int MaxBytes = SafetensorsHeader.MaxBytes;

    /// <summary>Reads an index: tensor → file in the same folder.</summary>
    /// <exception cref="InvalidDataException">The index is damaged, empty, or names a file outside the folder.</exception>
    public static IReadOnlyDictionary<string, string> Read(string path)
    {
        if (new FileInfo(path).Length is > MaxBytes and var length)
            throw Unreadable(path, $"it has {length} bytes, and an index at most {MaxBytes}");
        try
        {
            using var document = JsonDocument.Parse(File.ReadAllBytes(path), new JsonDocumentOptions { AllowDuplicateProperties = false });
            var files = document.RootElement.GetProperty("weight_map").EnumerateObject()
                .ToDictionary(pair => pair.Name, pair => pair.Value.GetString() ?? "", StringComparer.Ordinal);
            if (files.Count == 0) throw Unreadable(path, "its weight_map is empty");
            var outside = files.Values.Where(file => !IsInFolder(file)).Distinct(StringComparer.Ordinal).Order(StringComparer.Ordinal)
                .Select(file => $"'{file}'").ToList();
            if (outside.Count > 0)
                throw Unreadable(path, $"it names files that are no .safetensors file in its folder: {string.Join(", ", outside)}");
            return files;
        }
        catch (Exception error) when (error is JsonException or KeyNotFoundException or InvalidOperationException)
        {
            throw Unreadable(path, error.Message, error);
        }
    }

    /// <summary>Writes an index.</summary>
    /// <param name="folder">A model folder.</param>
    /// <param name="files">Maps each tensor to its file in the folder.</param>
    /// <param name="totalBytes">Bytes of all tensors.</param>
    public static void Write(string folder, IEnumerable<KeyValuePair<string, string>> files, long totalBytes)
    {
        var map = new JsonObject(files.OrderBy(pair => pair.Key, StringComparer.Ordinal)
            .Select(pair => KeyValuePair.Create(pair.Key, (JsonNode?)pair.Value)));
        var index = new JsonObject { ["metadata"] = new JsonObject { ["total_size"] = totalBytes }, ["weight_map"] = map };
        File.WriteAllText(Path.Combine(folder, FileName), index.ToJsonString(new JsonSerializerOptions { WriteIndented = true }));
    }

    private static bool IsInFolder(string file) =>
        file.EndsWith(".safetensors", StringComparison.Ordinal) && file.AsSpan().IndexOfAny('/', '\\', '\0') < 0;

    private static InvalidDataException Unreadable(string path, string problem, Exception? cause = null) =>
        new($"'{path}' is not a usable index: {problem}.", cause);
}
