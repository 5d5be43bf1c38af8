using System.Security.Cryptography;

namespace FunctionsPipeline.SampleData;

/// <summary>A file on this machine that the hub serves.</summary>
/// <param name="Sha256">Lower-case hexadecimal.</param>
public sealed record LocalFile(string FullPath, long Size, string Sha256)
{
    public static async Task<LocalFile> ReadAsync(string path)
    {
        await using var stream = File.OpenRead(path);
        return new LocalFile(path, stream.Length, Convert.ToHexStringLower(await SHA256.HashDataAsync(stream)));
    }
}

/// <summary>A file of a repository, made or hashed when it is first asked for.</summary>
/// <param name="path">In the repository, with forward slashes.</param>
/// <param name="make">Finds or writes the file.</param>
public sealed class HubFile(string path, Func<Task<LocalFile>> make)
{
    private readonly Lazy<Task<LocalFile>> _local = new(() => Task.Run(make));

    public string Path { get; } = path;

    /// <summary>Whether it is large storage, which the Hub serves from another address.</summary>
    public bool IsLarge => System.IO.Path.GetExtension(Path) is ".parquet" or ".safetensors" or ".bin" or ".jpg" or ".png";

    public Task<LocalFile> Local => _local.Value;

    /// <summary>A file that is there already.</summary>
    public static HubFile Existing(string path, string fullPath) => new(path, () => LocalFile.ReadAsync(fullPath));

    /// <summary>A file that is written on first use.</summary>
    public static HubFile Written(string path, string fullPath, Func<Stream, Task> write) => new(path, async () =>
    {
        Directory.CreateDirectory(System.IO.Path.GetDirectoryName(fullPath)!);
        await using (var stream = new FileStream(fullPath, FileMode.Create, FileAccess.ReadWrite))
            await write(stream);
        return await LocalFile.ReadAsync(fullPath);
    });
}
