using System.Security.Cryptography;
using System.Text;

namespace FunctionsPipeline.SampleData;

/// <summary>A local file that the hub serves.</summary>
/// <param name="Sha256">SHA-256 of the content, lower-case hexadecimal.</param>
/// <param name="GitOid">Id of the content as a git blob, lower-case hexadecimal.</param>
public sealed record LocalFile(string FullPath, long Size, string Sha256, string GitOid)
{
    /// <summary>Git LFS pointer that git stores in place of a large file.</summary>
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
        hash.AppendData(Encoding.ASCII.GetBytes($"blob {size}\0"));
        return hash;
    }

    private static string Hex(IncrementalHash hash) => Convert.ToHexStringLower(hash.GetHashAndReset());
}

/// <summary>A file of a repository, written and hashed on first use.</summary>
/// <param name="path">Path in the repository, with forward slashes.</param>
/// <param name="make">Locates or writes the local file.</param>
public sealed class HubFile(string path, Func<Task<LocalFile>> make)
{
    private readonly Lazy<Task<LocalFile>> _local = new(() => Task.Run(make));

    public string Path { get; } = path;

    /// <summary>True when the file is in large storage (Git LFS), which the Hub serves by redirect from a CDN.</summary>
    public bool IsLarge => System.IO.Path.GetExtension(Path) is ".parquet" or ".safetensors" or ".bin" or ".jpg" or ".png";

    public Task<LocalFile> Local => _local.Value;

    /// <summary>Wraps an existing local file.</summary>
    public static HubFile Existing(string path, string fullPath) => new(path, () => LocalFile.ReadAsync(fullPath));

    /// <summary>Wraps a file that is written on first use.</summary>
    public static HubFile Written(string path, string fullPath, Func<Stream, Task> write) => new(path, async () =>
    {
        Directory.CreateDirectory(System.IO.Path.GetDirectoryName(fullPath)!);
        await using (var stream = new FileStream(fullPath, FileMode.Create, FileAccess.ReadWrite))
            await write(stream);
        return await LocalFile.ReadAsync(fullPath);
    });
}
