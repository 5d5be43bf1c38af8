using static TorchSharp.torch;

namespace FunctionsPipeline.Phi3Vision;

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
            throw new InvalidDataException(
                $"The weights in '{_folder}' do not fit its {Phi3VisionConfig.FileName}:\n  {string.Join("\n  ", mismatches)}");
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
