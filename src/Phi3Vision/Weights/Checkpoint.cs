using System.Text.Json;
using System.Text.Json.Nodes;
using FunctionsPipeline.Phi3Vision.Config;
using static TorchSharp.torch;

namespace FunctionsPipeline.Phi3Vision.Weights;

/// <summary>
/// Safetensors files of a model folder: one <c>model.safetensors</c>, or several with an index. Where both exist the single file is used,
/// as in the transformers library.
/// </summary>
internal sealed class Checkpoint : IDisposable
{
    /// <summary>Name of the single file.</summary>
    public const string FileName = "model.safetensors";

    // Tensors that some versions of the published code write: a second copy of the embedding table, and a constant.
    private static readonly string[] Ignored =
    [
        "model.vision_embed_tokens.wte.weight",
        "model.vision_embed_tokens.img_processor.vision_model.embeddings.position_ids",
    ];

    private readonly string _folder;
    private readonly SortedDictionary<string, SafetensorsFile> _files = new(StringComparer.Ordinal);
    private readonly Dictionary<string, (SafetensorsFile File, SafetensorsEntry Entry)> _tensors = new(StringComparer.Ordinal);

    private Checkpoint(string folder) => _folder = folder;

    /// <summary>Names of the files, without the folder.</summary>
    public IReadOnlyCollection<string> Files => _files.Keys;

    /// <summary>All tensors, file by file.</summary>
    public IEnumerable<SafetensorsEntry> Entries => _files.Values.SelectMany(file => file.Entries);

    /// <summary>True when a folder has a single file or an index.</summary>
    public static bool Exists(string folder) =>
        File.Exists(Path.Combine(folder, FileName)) || File.Exists(Path.Combine(folder, CheckpointIndex.FileName));

    /// <summary>Opens the files of a folder and checks their headers and the index against each other. No tensor is read.</summary>
    /// <exception cref="InvalidDataException">The folder has no weights, or they are damaged.</exception>
    public static Checkpoint Open(string folder)
    {
        var checkpoint = new Checkpoint(folder);
        try
        {
            if (File.Exists(Path.Combine(folder, FileName))) checkpoint.Add(FileName);
            else if (File.Exists(Path.Combine(folder, CheckpointIndex.FileName))) checkpoint.AddShards();
            else throw new InvalidDataException($"'{folder}' has no weights: neither {FileName} nor {CheckpointIndex.FileName}.");
            return checkpoint;
        }
        catch
        {
            checkpoint.Dispose();
            throw;
        }
    }

    /// <summary>
    /// Checks that the tensors are exactly the given weights: none missing, none besides, each of its shape and a floating-point type.
    /// </summary>
    /// <exception cref="InvalidDataException">Tensors do not fit; the message lists every mismatch.</exception>
    public void Require(IReadOnlyList<WeightSpec> weights)
    {
        var mismatches = Mismatches(weights).ToList();
        if (mismatches.Count > 0)
        {
            throw new InvalidDataException(
                $"The weights in '{_folder}' do not fit its {Phi3VisionConfig.FileName}:\n  {string.Join("\n  ", mismatches)}");
        }
    }

    /// <summary>Copies a tensor into an existing one on any device and of any type.</summary>
    public void CopyTo(string name, Tensor target) => _tensors[name].File.CopyTo(name, target);

    /// <inheritdoc />
    public void Dispose()
    {
        foreach (var file in _files.Values) file.Dispose();
    }

    private void AddShards()
    {
        var path = Path.Combine(_folder, CheckpointIndex.FileName);
        var fileOf = CheckpointIndex.Read(path);
        var shards = fileOf.Values.Distinct(StringComparer.Ordinal).Order(StringComparer.Ordinal).ToList();
        var missing = shards.Where(file => !File.Exists(Path.Combine(_folder, file))).ToList();
        if (missing.Count > 0)
            throw new InvalidDataException($"'{_folder}' lacks files that its index names: {string.Join(", ", missing)}.");
        foreach (var shard in shards) Add(shard);
        var misplaced = fileOf.Where(pair => !_tensors.TryGetValue(pair.Key, out var found) || found.File != _files[pair.Value])
            .Select(pair => $"{pair.Key}: is not in {pair.Value}");
        var unlisted = _tensors.Keys.Where(name => !fileOf.ContainsKey(name)).Select(name => $"{name}: is in a file, but not in the index");
        var problems = misplaced.Concat(unlisted).ToList();
        if (problems.Count > 0) throw new InvalidDataException($"'{path}' does not fit its files:\n  {string.Join("\n  ", problems)}");
    }

    private void Add(string name)
    {
        var file = SafetensorsFile.Open(Path.Combine(_folder, name));
        _files.Add(name, file);
        var twice = file.Entries.Where(entry => !_tensors.TryAdd(entry.Name, (file, entry))).Select(entry => entry.Name).ToList();
        if (twice.Count > 0)
            throw new InvalidDataException($"'{name}' in '{_folder}' holds what another file holds too: {string.Join(", ", twice)}.");
    }

    private IEnumerable<string> Mismatches(IReadOnlyList<WeightSpec> weights)
    {
        foreach (var weight in weights)
        {
            if (!_tensors.TryGetValue(weight.Name, out var found))
            {
                yield return $"{weight.Name}: missing";
                continue;
            }
            if (!found.Entry.Shape.SequenceEqual(weight.Shape))
                yield return $"{weight.Name}: is [{string.Join(", ", found.Entry.Shape)}], but must be [{string.Join(", ", weight.Shape)}]";
            if (!SafetensorsType.IsWeight(found.Entry.Dtype))
                yield return $"{weight.Name}: is {found.Entry.Dtype}, but must be F32, F16 or BF16";
        }
        var known = weights.Select(weight => weight.Name).Concat(Ignored).ToHashSet(StringComparer.Ordinal);
        foreach (var name in _tensors.Keys.Where(name => !known.Contains(name))) yield return $"{name}: not a weight of this model";
    }
}

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

    // An index is untrusted: it must not name files elsewhere on the disk.
    private static bool IsInFolder(string file) =>
        file.EndsWith(".safetensors", StringComparison.Ordinal) && file.AsSpan().IndexOfAny('/', '\\', '\0') < 0;

    private static InvalidDataException Unreadable(string path, string problem, Exception? cause = null) =>
        new($"'{path}' is not a usable index: {problem}.", cause);
}
