using System.Text.RegularExpressions;

namespace FunctionsPipeline.SampleData;

/// <summary>Serves folders with checkpoints as model repositories.</summary>
public static partial class ModelFolders
{
    /// <summary>Creates a repository <c>samples/{folder}</c> for each folder directly below <paramref name="root"/>.</summary>
    /// <exception cref="InvalidDataException">The folder does not exist, contains no folder, or contains one whose name is not usable as a
    /// repository name.</exception>
    public static IReadOnlyList<HubRepository> Open(string root)
    {
        if (!Directory.Exists(root)) throw new InvalidDataException($"--models: there is no folder {root}");
        var folders = Directory.GetDirectories(root).Order(StringComparer.Ordinal).ToList();
        if (folders.Count == 0) throw new InvalidDataException($"--models: {root} has no folder in it; each model is a folder of its own");
        return [.. folders.Select(Create)];
    }

    /// <summary>Converts a folder's name to a valid repository name; characters that the Hub does not allow become dashes.</summary>
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
