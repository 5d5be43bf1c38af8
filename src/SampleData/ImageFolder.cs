using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Parquet;
using Parquet.Schema;

namespace FunctionsPipeline.SampleData;

/// <summary>
/// A folder of images in the imagefolder convention, <c>{split}/{label}/{file}</c>, or <c>{label}/{file}</c> for a single split
/// <c>train</c>. A selection of the images depends on the seed and their paths alone.
/// </summary>
public sealed class ImageFolder
{
    private static readonly string[] Extensions = [".jpg", ".jpeg", ".png", ".webp"];

    // Folder names that the datasets library's imagefolder loader maps to splits.
    private static readonly Dictionary<string, string> SplitNames = new(StringComparer.OrdinalIgnoreCase)
    {
        ["train"] = "train",
        ["training"] = "train",
        ["validation"] = "validation",
        ["valid"] = "validation",
        ["val"] = "validation",
        ["dev"] = "validation",
        ["test"] = "test",
        ["testing"] = "test",
        ["eval"] = "test",
        ["evaluation"] = "test",
    };

    private ImageFolder(string root, IReadOnlyList<FolderImage> images, IReadOnlyList<FolderImage> heldOut,
        IReadOnlyList<string> labels)
    {
        Root = root;
        Images = images;
        HeldOut = heldOut;
        Labels = labels;
    }

    public string Root { get; }

    /// <summary>Images in the splits, ordered by path and therefore by label, as the convention prescribes.</summary>
    public IReadOnlyList<FolderImage> Images { get; }

    /// <summary>Images held out of the splits.</summary>
    public IReadOnlyList<FolderImage> HeldOut { get; }

    /// <summary>All labels in ordinal order; the index of a label is its class number.</summary>
    public IReadOnlyList<string> Labels { get; }

    /// <summary>Lists a folder and selects images from it.</summary>
    /// <param name="root">The folder.</param>
    /// <param name="rows">Maximum number of images in the splits, taken in proportion to the splits' sizes; all when null.</param>
    /// <param name="holdBack">Number of images to hold out, spread evenly over the labels.</param>
    /// <param name="seed">Seed of the selection.</param>
    /// <exception cref="InvalidDataException">The folder does not follow the convention, or has too few images.</exception>
    public static ImageFolder Open(string root, int? rows, int holdBack, int seed)
    {
        if (!Directory.Exists(root)) throw new InvalidDataException($"--images: there is no folder {root}");
        var all = List(root).OrderBy(p => p.Path, StringComparer.Ordinal).ToList();
        if (all.Count == 0)
        {
            throw new InvalidDataException(
                $"--images: {root} has no images in {{split}}/{{label}}/ or {{label}}/ ({string.Join(", ", Extensions)})");
        }
        if (holdBack >= all.Count) throw new InvalidDataException($"--hold-back {holdBack}: {root} has only {all.Count} images");
        var shuffled = all.OrderBy(p => Rank(p, seed), StringComparer.Ordinal).ToList();
        var heldOut = TakeEvenly(shuffled, holdBack);
        var rest = shuffled.Except(heldOut).ToList();
        var taken = rows is { } limit && limit < rest.Count ? TakeInProportion(rest, limit) : rest;
        return new ImageFolder(root, [.. taken.OrderBy(p => p.Path, StringComparer.Ordinal)], heldOut,
            [.. all.Select(p => p.Label).Distinct().Order(StringComparer.Ordinal)]);
    }

    public string FullPath(FolderImage image) => Path.Combine(Root, image.Path);

    private static IEnumerable<FolderImage> List(string root)
    {
        foreach (var file in Directory.EnumerateFiles(root, "*", SearchOption.AllDirectories))
        {
            var path = Path.GetRelativePath(root, file).Replace('\\', '/');
            if (!Extensions.Contains(Path.GetExtension(path), StringComparer.OrdinalIgnoreCase)) continue;
            switch (path.Split('/'))
            {
                case [var folder, var label, _] when SplitNames.TryGetValue(folder, out var split):
                    yield return new FolderImage(path, split, label);
                    break;
                case [var label, _] when !SplitNames.ContainsKey(label):
                    yield return new FolderImage(path, "train", label);
                    break;
            }
        }
    }

    private static List<FolderImage> TakeEvenly(IReadOnlyList<FolderImage> shuffled, int count) =>
        [.. shuffled.GroupBy(p => p.Label).OrderBy(g => g.Key, StringComparer.Ordinal)
            .SelectMany(g => g.Select((image, round) => (image, round)))
            // Round by round, an image of each label; OrderBy is stable and keeps the labels in order within a round.
            .OrderBy(p => p.round).Take(count).Select(p => p.image)];

    private static List<FolderImage> TakeInProportion(IReadOnlyList<FolderImage> shuffled, int count)
    {
        var splits = shuffled.GroupBy(p => p.Split).OrderBy(g => g.Key, StringComparer.Ordinal).ToList();
        var taken = new List<FolderImage>();
        long seen = 0;
        foreach (var split in splits)
        {
            // Differences of running totals, each rounded down, add up to exactly count.
            var before = seen * count / shuffled.Count;
            seen += split.Count();
            taken.AddRange(split.Take((int)((seen * count / shuffled.Count) - before)));
        }
        return taken;
    }

    private static string Rank(FolderImage image, int seed) =>
        // A hash in place of a shuffle: an image more or less does not change the order of the others.
        Convert.ToHexString(SHA256.HashData(Encoding.UTF8.GetBytes($"{seed} {image.Path}")));
}

/// <summary>An image of an image folder.</summary>
/// <param name="Path">Path relative to the folder, with forward slashes.</param>
public sealed record FolderImage(string Path, string Split, string Label);

/// <summary>
/// Serves an image folder as a dataset repository with embedded images and ClassLabel labels, as the Hub converts such folders.
/// </summary>
public static class ImageFolderDataset
{
    public const string Config = "default";
    private const int RowsPerGroup = 100;

    /// <param name="id">Repository id.</param>
    /// <param name="source">The image folder.</param>
    /// <param name="folder">Folder that Parquet files are written to, one per split.</param>
    public static SampleRepository Create(string id, ImageFolder source, string folder)
    {
        var content = Fingerprint(source);
        var card = RepositoryFile.Written("README.md", Path.Combine(folder, "README.md"), stream => stream.WriteAsync(
            Encoding.UTF8.GetBytes($"# {id}\n\n{source.Images.Count} pictures with {source.Labels.Count} labels.\n")).AsTask());
        var splits = source.Images.GroupBy(p => p.Split)
            .ToDictionary(g => g.Key, g => (Path: $"{Config}/{g.Key}/0000.parquet", Images: g.ToArray()));
        var files = splits.Values
            .Select(s => RepositoryFile.Written(s.Path, Path.Combine(folder, s.Path), stream => WriteAsync(source, s.Images, stream)))
            .ToList();
        return new SampleRepository("datasets", id, new Dictionary<string, RepositorySnapshot>
        {
            [SampleRepository.Main] = new(SampleRepository.CommitOf(content), [card]),
            [SampleRepository.ConvertedParquet] = new(SampleRepository.CommitOf(content, "parquet"), files),
        })
        {
            Parquet = new Dictionary<string, IReadOnlyDictionary<string, IReadOnlyList<string>>>
            {
                [Config] = splits.ToDictionary(s => s.Key, s => (IReadOnlyList<string>)[s.Value.Path]),
            },
        };
    }

    // Hashes paths, sizes and modification times instead of contents, so that starting a hub does not read every image.
    private static string Fingerprint(ImageFolder source) => string.Join('\n', source.Images.Select(p =>
    {
        var file = new FileInfo(source.FullPath(p));
        return $"{p.Path} {file.Length} {file.LastWriteTimeUtc.Ticks}";
    }).Prepend("image folder 1"));

    private static async Task WriteAsync(ImageFolder source, FolderImage[] images, Stream stream)
    {
        var (bytes, name, label) = (new DataField<byte[]>("bytes"), new DataField<string>("path"), new DataField<long>("label", true));
        var schema = new ParquetSchema(new StructField("image", bytes, name), label);
        await using var writer = await ParquetWriter.CreateAsync(schema, stream,
            new ParquetOptions { CompressionMethod = CompressionMethod.Snappy });
        // The datasets library keeps a dataset's features as JSON under this key of the Parquet file's metadata.
        writer.CustomMetadata = new Dictionary<string, string> { ["huggingface"] = Features(source.Labels) };
        var codes = source.Labels.Index().ToDictionary(p => p.Item, p => (long?)p.Index);
        foreach (var group in images.Chunk(RowsPerGroup))
        {
            using var rowGroup = writer.CreateRowGroup();
            await rowGroup.WriteAsync(bytes, group.Select(p => File.ReadAllBytes(source.FullPath(p))).ToArray());
            await rowGroup.WriteAsync(name, group.Select(p => Path.GetFileName(p.Path)).ToArray());
            await rowGroup.WriteAsync<long>(label, group.Select(p => codes[p.Label]).ToArray());
            rowGroup.CompleteValidate();
        }
    }

    private static string Features(IReadOnlyList<string> labels) => JsonSerializer.Serialize(new
    {
        info = new { features = new { image = new { _type = "Image" }, label = new { names = labels, _type = "ClassLabel" } } },
    });
}
