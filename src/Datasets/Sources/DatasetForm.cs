using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using System.Text.RegularExpressions;
using FunctionsPipeline.Contracts;
using FunctionsPipeline.Datasets.Hub;

namespace FunctionsPipeline.Datasets.Sources;

/// <summary>The form of a dataset's files, found from their names, and its tables.</summary>
/// <param name="Files">All files of the dataset.</param>
internal sealed partial record DatasetForm(TableForm Form, IReadOnlyList<SourceTable> Tables, IReadOnlyList<HubFileInfo> Files)
{
    /// <summary>Name of the configuration that has all files, as on the Hub.</summary>
    public const string AllFiles = "default";

    private const string Metadata = "metadata";

    private static readonly Dictionary<string, TableForm> FormOf = new(StringComparer.OrdinalIgnoreCase)
    {
        [".parquet"] = TableForm.Parquet,
        [".csv"] = TableForm.Csv,
        [".tsv"] = TableForm.Csv,
        [".jsonl"] = TableForm.JsonLines,
        [".ndjson"] = TableForm.JsonLines,
        [".json"] = TableForm.JsonList,
        [".tar"] = TableForm.WebDataset,
    };

    private static readonly HashSet<string> ImageExtensions =
        new(StringComparer.OrdinalIgnoreCase) { ".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp" };

    // Descriptions that the datasets library writes beside the data.
    private static readonly HashSet<string> Descriptions =
        new(StringComparer.OrdinalIgnoreCase) { "dataset_info.json", "dataset_infos.json", "dataset_dict.json", "state.json" };

    // Of files for people, such as README.md and LICENSE.
    private static readonly HashSet<string> TextExtensions = new(StringComparer.OrdinalIgnoreCase) { ".md", "" };

    private static readonly Dictionary<string, string> Words = new()
    {
        ["train"] = Splits.Train,
        ["training"] = Splits.Train,
        ["validation"] = Splits.Validation,
        ["valid"] = Splits.Validation,
        ["val"] = Splits.Validation,
        ["dev"] = Splits.Validation,
        ["test"] = Splits.Test,
        ["testing"] = Splits.Test,
    };

    /// <summary>Finds the form and the tables.</summary>
    /// <param name="folder">Folder to which the request restricts the files: its configuration; all files when null or
    /// <see cref="AllFiles"/>.</param>
    /// <exception cref="RequestException">There are no files, or none that is read, or files of several forms.</exception>
    public static DatasetForm Of(IDatasetFiles source, IReadOnlyList<HubFileInfo> files, string? folder)
    {
        if (files.Count == 0) throw new RequestException(source.Field, 404, $"{source.Name} has no files");
        if (folder is not (null or AllFiles))
        {
            files = [.. files.Where(file => file.Path.StartsWith($"{folder}/", StringComparison.Ordinal))];
            if (files.Count == 0) throw new RequestException("dataset.config", 404, $"{source.Name} has no folder '{folder}'");
        }
        var images = files.Where(IsImage).ToList();
        var tables = files.Where(file => FormOf.ContainsKey(Extension(file)) && !Descriptions.Contains(NameOf(file)))
            .ToLookup(file => FormOf[Extension(file)]);
        var isFolder = images.Count > 0 && tables.All(form => form.All(IsMetadata));
        if (isFolder) return new DatasetForm(TableForm.ImageFolder, [.. Folders(images, [.. tables.SelectMany(form => form)])], files);
        return tables.Count switch
        {
            1 => new DatasetForm(tables.Single().Key,
                [.. tables.Single().Select(file => new SourceTable(tables.Single().Key, SplitOf(file.Path), file))], files),
            0 => throw new RequestException(source.Field, 400, $"{source.Name} has no file of a form that is read (Parquet, CSV, TSV, "
                + $"JSON, JSON lines, WebDataset tar, folders of images); it has: {Counted(files)}"),
            _ => throw new RequestException(source.Field, 400, $"{source.Name} has files of several forms, "
                + $"{string.Join(" and ", tables.Select(form => $"{form.First().Path} ({form.Count()})"))}: "
                + "name a folder that has one form, or remove the others"),
        };
    }

    /// <summary>True when a name or URL ends as those of images do.</summary>
    public static bool IsImage(string name) => ImageExtensions.Contains(Path.GetExtension(name));

    /// <summary>True when a file's name is that of an image.</summary>
    public static bool IsImage(HubFileInfo file) => ImageExtensions.Contains(Extension(file));

    /// <summary>Describes the form for people, such as <c>CSV, 2 files, not read: 1 *.xlsx</c>.</summary>
    /// <param name="reading">How the tables are read.</param>
    public string Describe(string reading)
    {
        var name = Form switch
        {
            TableForm.Csv => "CSV",
            TableForm.JsonLines => "JSON lines",
            TableForm.JsonList => "JSON",
            TableForm.WebDataset => "WebDataset",
            TableForm.ImageFolder => "image folder",
            _ => "Parquet",
        };
        var (count, unit) = Form == TableForm.ImageFolder ? (Files.Count(IsImage), "image") : (Tables.Count, "file");
        var counted = string.Create(CultureInfo.InvariantCulture, $"{name}, {count} {unit}{(count == 1 ? "" : "s")}");
        var others = Files.Where(file =>
            !IsImage(file) && !FormOf.ContainsKey(Extension(file)) && !TextExtensions.Contains(Extension(file))).ToList();
        var left = others.Count > 0 ? $"not read: {Counted(others)}" : "";
        return string.Join(", ", new[] { counted, reading, left }.Where(part => part.Length > 0));
    }

    /// <summary>True when a file's name says that it describes the images of its folder.</summary>
    public static bool IsMetadata(HubFileInfo file) =>
        FormOf.GetValueOrDefault(Extension(file)) is TableForm.Csv or TableForm.JsonLines
        && Path.GetFileNameWithoutExtension(file.Path) == Metadata;

    /// <summary>
    /// Finds the split that a path names: a folder <c>train</c>, <c>validation</c>, <c>valid</c>, <c>val</c>, <c>dev</c> or <c>test</c>, or
    /// the word within the file's name, as in <c>shoes-test.csv</c>; train otherwise.
    /// </summary>
    public static string SplitOf(string path)
    {
        var parts = path.Split('/');
        foreach (var folder in parts[..^1])
            if (Words.TryGetValue(folder.ToLowerInvariant(), out var split)) return split;
        return SplitWord().Match(Path.GetFileNameWithoutExtension(parts[^1]).ToLowerInvariant()) is { Success: true } found
            ? Words[found.Value] : Splits.Train;
    }

    /// <summary>Finds the label that the path of an image names: its folder, unless that is a split; null for none.</summary>
    public static string? LabelOf(string path) =>
        path.Split('/') is [.., var folder, _] && !Words.ContainsKey(folder.ToLowerInvariant()) ? folder : null;

    /// <summary>Finds the split of an image in a folder: that of a folder, train otherwise.</summary>
    public static string SplitOfImage(string path) => SplitOf(path[..(path.LastIndexOf('/') + 1)]);

    private static IEnumerable<SourceTable> Folders(List<HubFileInfo> images, List<HubFileInfo> metadata)
    {
        foreach (var split in images.GroupBy(image => SplitOfImage(image.Path)))
        {
            using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
            foreach (var file in metadata.Concat(split))
                hash.AppendData(Encoding.UTF8.GetBytes($"{file.Path}\n{file.Sha256 ?? file.GitOid}\n"));
            yield return new SourceTable(TableForm.ImageFolder, split.Key,
                new HubFileInfo("", split.Sum(image => image.Size), Convert.ToHexStringLower(hash.GetHashAndReset()), ""));
        }
    }

    private static string Counted(IEnumerable<HubFileInfo> files) => string.Join(", ", files
        .CountBy(file => Extension(file).ToLowerInvariant()).OrderByDescending(count => count.Value).Take(8)
        .Select(count => string.Create(CultureInfo.InvariantCulture, $"{count.Value} *{count.Key}")));

    private static string Extension(HubFileInfo file) => Path.GetExtension(file.Path);

    private static string NameOf(HubFileInfo file) => Path.GetFileName(file.Path);

    [GeneratedRegex("(?<![a-z])(train|training|validation|valid|val|dev|test|testing)(?![a-z])", RegexOptions.CultureInvariant)]
    private static partial Regex SplitWord();
}
