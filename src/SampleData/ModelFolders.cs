using System.Text.RegularExpressions;

namespace FunctionsPipeline.SampleData;

/// <summary>Folders with checkpoints as model repositories.</summary>
public static partial class ModelFolders
{
    /// <summary>One repository <c>samples/{folder}</c> for each folder below <paramref name="root"/>.</summary>
    /// <exception cref="InvalidDataException">There is no such folder, or no folder in it, or one whose name cannot be a
    /// repository's.</exception>
    public static IReadOnlyList<HubRepository> Open(string root)
    {
        if (!Directory.Exists(root)) throw new InvalidDataException($"--models: there is no folder {root}");
        var folders = Directory.GetDirectories(root).Order(StringComparer.Ordinal).ToList();
        if (folders.Count == 0) throw new InvalidDataException($"--models: {root} has no folder in it; each model is a folder of its own");
        return [.. folders.Select(Create)];
    }

    /// <summary>A name as the Hub allows it; other characters become dashes.</summary>
    public static string RepositoryName(string folder)
    {
        var name = NotAllowed().Replace(Path.GetFileName(Path.TrimEndingDirectorySeparator(Path.GetFullPath(folder))), "-");
        return name.Length > 0 ? name : throw new InvalidDataException($"{folder} has no name to serve it under");
    }

    private static HubRepository Create(string folder)
    {
        var files = Directory.GetFiles(folder, "*", SearchOption.AllDirectories).Order(StringComparer.Ordinal).ToList();
        var fingerprint = files.Select(file => new FileInfo(file))
            .Select(info => $"{Path.GetRelativePath(folder, info.FullName)} {info.Length} {info.LastWriteTimeUtc.Ticks}");
        var snapshot = new HubSnapshot(HubRepository.CommitOf(fingerprint.Prepend("model 1")),
            [.. files.Select(file => HubFile.Existing(Path.GetRelativePath(folder, file).Replace('\\', '/'), file))]);
        return new HubRepository("models", $"samples/{RepositoryName(folder)}",
            new Dictionary<string, HubSnapshot> { [HubRepository.Main] = snapshot });
    }

    [GeneratedRegex("[^A-Za-z0-9._-]+")]
    private static partial Regex NotAllowed();
}
