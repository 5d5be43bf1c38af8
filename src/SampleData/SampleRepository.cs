using System.Security.Cryptography;
using System.Text;
using System.Text.RegularExpressions;

namespace FunctionsPipeline.SampleData;

/// <summary>A repository of the sample hub.</summary>
/// <param name="kind"><c>datasets</c> or <c>models</c>.</param>
/// <param name="id">Repository id, <c>owner/name</c>.</param>
/// <param name="revisions">Snapshots by branch name.</param>
public sealed class SampleRepository(string kind, string id, IReadOnlyDictionary<string, RepositorySnapshot> revisions)
{
    public const string Main = "main";
    public const string ConvertedParquet = "refs/convert/parquet";

    public string Kind { get; } = kind;

    public string Id { get; } = id;

    /// <summary>Paths of a dataset's Parquet files in <see cref="ConvertedParquet"/> by configuration and split.</summary>
    public IReadOnlyDictionary<string, IReadOnlyDictionary<string, IReadOnlyList<string>>> Parquet { get; init; } =
        new Dictionary<string, IReadOnlyDictionary<string, IReadOnlyList<string>>>();

    /// <summary>Finds the snapshot of a branch or commit; null when there is none.</summary>
    public RepositorySnapshot? Find(string revision) =>
        revisions.TryGetValue(revision, out var snapshot) ? snapshot : revisions.Values.FirstOrDefault(s => s.Commit == revision);

    /// <summary>Derives a deterministic commit id from the given parts.</summary>
    public static string CommitOf(params IEnumerable<string> parts) =>
        // 40 digits, the length of the SHA-1 that git names commits with.
        Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(string.Join('\n', parts))))[..40];
}

/// <summary>Files of a repository at one commit.</summary>
public sealed record RepositorySnapshot(string Commit, IReadOnlyList<RepositoryFile> Files);

/// <summary>A file of a repository, written and hashed on first use.</summary>
/// <param name="path">Path in the repository, with forward slashes.</param>
/// <param name="make">Locates or writes the local file.</param>
public sealed class RepositoryFile(string path, Func<Task<LocalFile>> make)
{
    // Lazy runs make once for concurrent requests; Task.Run keeps its synchronous parts, such as drawing, out of Lazy's lock.
    private readonly Lazy<Task<LocalFile>> _local = new(() => Task.Run(make));

    public string Path { get; } = path;

    /// <summary>True when the file is in large storage (Git LFS), which the Hub serves by redirect from a CDN.</summary>
    // By extension, as the .gitattributes that the Hub gives new repositories.
    public bool IsLarge => System.IO.Path.GetExtension(Path) is ".parquet" or ".safetensors" or ".bin" or ".jpg" or ".png";

    public Task<LocalFile> Local => _local.Value;

    /// <summary>Wraps an existing local file.</summary>
    public static RepositoryFile Existing(string path, string fullPath) => new(path, () => LocalFile.ReadAsync(fullPath));

    /// <summary>Wraps a file that is written on first use.</summary>
    public static RepositoryFile Written(string path, string fullPath, Func<Stream, Task> write) => new(path, async () =>
    {
        Directory.CreateDirectory(System.IO.Path.GetDirectoryName(fullPath)!);
        await using (var stream = new FileStream(fullPath, FileMode.Create, FileAccess.ReadWrite))
            await write(stream);
        return await LocalFile.ReadAsync(fullPath);
    });
}

/// <summary>A local file that the hub serves.</summary>
/// <param name="Sha256">SHA-256 of the content, lower-case hexadecimal.</param>
/// <param name="GitOid">Id of the content as a git blob, lower-case hexadecimal.</param>
public sealed record LocalFile(string FullPath, long Size, string Sha256, string GitOid)
{
    /// <summary>Git LFS pointer that git stores in place of a large file.</summary>
    // Git LFS specification 1: the key version first, the others in alphabetical order, a line feed after each.
    public string Pointer => $"version https://git-lfs.github.com/spec/v1\noid sha256:{Sha256}\nsize {Size}\n";

    public static async Task<LocalFile> ReadAsync(string path)
    {
        await using var stream = File.OpenRead(path);
        using var sha256 = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        using var git = GitBlob(stream.Length);
        var buffer = new byte[1 << 20];
        for (int read; (read = await stream.ReadAsync(buffer)) > 0;)
        {
            sha256.AppendData(buffer.AsSpan(0, read));
            git.AppendData(buffer.AsSpan(0, read));
        }
        return new LocalFile(path, stream.Length, Hex(sha256), Hex(git));
    }

    /// <summary>Computes the id of a git blob with the given text.</summary>
    public static string GitOidOf(string text)
    {
        var bytes = Encoding.UTF8.GetBytes(text);
        using var git = GitBlob(bytes.Length);
        git.AppendData(bytes);
        return Hex(git);
    }

    private static IncrementalHash GitBlob(long size)
    {
        var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA1);
        // git hashes a blob as "blob {size}\0" and the content.
        hash.AppendData(Encoding.ASCII.GetBytes($"blob {size}\0"));
        return hash;
    }

    private static string Hex(IncrementalHash hash) => Convert.ToHexStringLower(hash.GetHashAndReset());
}

/// <summary>Serves folders with checkpoints as model repositories.</summary>
public static partial class ModelRepositories
{
    /// <summary>Creates a repository <c>samples/{folder}</c> for each folder directly below <paramref name="root"/>.</summary>
    /// <exception cref="InvalidDataException">The folder does not exist, contains no folder, or contains one whose name is not usable as a
    /// repository name.</exception>
    public static IReadOnlyList<SampleRepository> Open(string root)
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

    private static SampleRepository Create(string folder)
    {
        var files = Directory.GetFiles(folder, "*", SearchOption.AllDirectories).Order(StringComparer.Ordinal).ToList();
        var fingerprint = files.Select(file => new FileInfo(file))
            .Select(info => $"{Path.GetRelativePath(folder, info.FullName)} {info.Length} {info.LastWriteTimeUtc.Ticks}");
        var snapshot = new RepositorySnapshot(SampleRepository.CommitOf(fingerprint.Prepend("model 1")),
            [.. files.Select(file => RepositoryFile.Existing(Path.GetRelativePath(folder, file).Replace('\\', '/'), file))]);
        return new SampleRepository("models", $"samples/{RepositoryName(folder)}",
            new Dictionary<string, RepositorySnapshot> { [SampleRepository.Main] = snapshot });
    }

    [GeneratedRegex("[^A-Za-z0-9._-]+")]
    private static partial Regex NotAllowed();
}
