using System.Security.Cryptography;
using System.Text;

namespace FunctionsPipeline.SampleData;

/// <summary>An image of an image folder.</summary>
/// <param name="Path">Path relative to the folder, with forward slashes.</param>
public sealed record FolderPicture(string Path, string Split, string Label);

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

    private ImageFolder(string root, IReadOnlyList<FolderPicture> pictures, IReadOnlyList<FolderPicture> heldOut,
        IReadOnlyList<string> labels)
    {
        Root = root;
        Pictures = pictures;
        HeldOut = heldOut;
        Labels = labels;
    }

    public string Root { get; }

    /// <summary>Images in the splits, ordered by path and therefore by label, as the convention prescribes.</summary>
    public IReadOnlyList<FolderPicture> Pictures { get; }

    /// <summary>Images held out of the splits.</summary>
    public IReadOnlyList<FolderPicture> HeldOut { get; }

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
            throw new InvalidDataException(
                $"--images: {root} has no pictures in {{split}}/{{label}}/ or {{label}}/ ({string.Join(", ", Extensions)})");
        if (holdBack >= all.Count) throw new InvalidDataException($"--hold-back {holdBack}: {root} has only {all.Count} pictures");
        var shuffled = all.OrderBy(p => Rank(p, seed), StringComparer.Ordinal).ToList();
        var heldOut = TakeEvenly(shuffled, holdBack);
        var rest = shuffled.Except(heldOut).ToList();
        var taken = rows is { } limit && limit < rest.Count ? TakeInProportion(rest, limit) : rest;
        return new ImageFolder(root, [.. taken.OrderBy(p => p.Path, StringComparer.Ordinal)], heldOut,
            [.. all.Select(p => p.Label).Distinct().Order(StringComparer.Ordinal)]);
    }

    public string FullPath(FolderPicture picture) => Path.Combine(Root, picture.Path);

    private static IEnumerable<FolderPicture> List(string root)
    {
        foreach (var file in Directory.EnumerateFiles(root, "*", SearchOption.AllDirectories))
        {
            var path = Path.GetRelativePath(root, file).Replace('\\', '/');
            if (!Extensions.Contains(Path.GetExtension(path), StringComparer.OrdinalIgnoreCase)) continue;
            switch (path.Split('/'))
            {
                case [var folder, var label, _] when SplitNames.TryGetValue(folder, out var split):
                    yield return new FolderPicture(path, split, label);
                    break;
                case [var label, _] when !SplitNames.ContainsKey(label):
                    yield return new FolderPicture(path, "train", label);
                    break;
            }
        }
    }

    private static List<FolderPicture> TakeEvenly(IReadOnlyList<FolderPicture> shuffled, int count) =>
        [.. shuffled.GroupBy(p => p.Label).OrderBy(g => g.Key, StringComparer.Ordinal)
            .SelectMany(g => g.Select((picture, round) => (picture, round)))
            .OrderBy(p => p.round).Take(count).Select(p => p.picture)];

    private static List<FolderPicture> TakeInProportion(IReadOnlyList<FolderPicture> shuffled, int count)
    {
        var splits = shuffled.GroupBy(p => p.Split).OrderBy(g => g.Key, StringComparer.Ordinal).ToList();
        var taken = new List<FolderPicture>();
        long seen = 0;
        foreach (var split in splits)
        {
            var before = seen * count / shuffled.Count;
            seen += split.Count();
            taken.AddRange(split.Take((int)((seen * count / shuffled.Count) - before)));
        }
        return taken;
    }

    private static string Rank(FolderPicture picture, int seed) =>
        Convert.ToHexString(SHA256.HashData(Encoding.UTF8.GetBytes($"{seed} {picture.Path}")));
}
