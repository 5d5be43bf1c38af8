using System.Text.Json;

namespace FunctionsPipeline.Phi3Vision;

/// <summary>The safetensors files of a model folder: one <c>model.safetensors</c>, or several with an index.</summary>
internal sealed class Checkpoint : IDisposable
{
    /// <summary>Name of the single file.</summary>
    public const string FileName = "model.safetensors";

    private const string IndexName = "model.safetensors.index.json";
    private readonly List<SafetensorsFile> _files = [];
    private readonly Dictionary<string, (SafetensorsFile File, SafetensorsEntry Entry)> _tensors = new(StringComparer.Ordinal);

    private Checkpoint()
    {
    }

    public IReadOnlyCollection<string> Names => _tensors.Keys;

    /// <exception cref="InvalidDataException">The folder has no weights, or they are damaged.</exception>
    public static Checkpoint Open(string folder)
    {
        var checkpoint = new Checkpoint();
        try
        {
            foreach (var file in FilesOf(folder)) checkpoint.Add(Path.Combine(folder, file));
            return checkpoint;
        }
        catch
        {
            checkpoint.Dispose();
            throw;
        }
    }

    public SafetensorsEntry Entry(string name) => _tensors[name].Entry;

    public TorchSharp.torch.Tensor Read(string name) => _tensors[name].File.Read(name);

    public void Dispose() => _files.ForEach(file => file.Dispose());

    private static IEnumerable<string> FilesOf(string folder)
    {
        if (File.Exists(Path.Combine(folder, FileName))) return [FileName];
        var index = Path.Combine(folder, IndexName);
        if (!File.Exists(index)) throw new InvalidDataException($"'{folder}' has no weights: neither {FileName} nor {IndexName}.");
        try
        {
            using var document = JsonDocument.Parse(File.ReadAllBytes(index));
            var files = document.RootElement.GetProperty("weight_map").EnumerateObject().Select(pair => pair.Value.GetString() ?? "").Distinct(StringComparer.Ordinal).ToList();
            if (files.Find(file => file.Length == 0 || file != Path.GetFileName(file)) is { } outside)
                throw new InvalidDataException($"'{index}' names the file '{outside}', which is not in the folder.");
            return files;
        }
        catch (Exception error) when (error is JsonException or KeyNotFoundException or InvalidOperationException)
        {
            throw new InvalidDataException($"'{index}' cannot be read: {error.Message}", error);
        }
    }

    private void Add(string path)
    {
        if (!File.Exists(path)) throw new InvalidDataException($"'{path}' is missing.");
        var file = SafetensorsFile.Open(path);
        _files.Add(file);
        foreach (var entry in file.Entries)
            if (!_tensors.TryAdd(entry.Name, (file, entry))) throw new InvalidDataException($"'{path}' holds '{entry.Name}', which another file holds too.");
    }
}
