using System.Security.Cryptography;
using System.Text;

namespace FunctionsPipeline.Datasets;

/// <summary>
/// Checksum of a file as listed by the Hub: the SHA-256 of a file in large storage (Git LFS), the git blob id of any other file, which is
/// the SHA-1 of <c>blob {size}\0</c> followed by the content.
/// </summary>
internal sealed class HubChecksum : IDisposable
{
    private readonly IncrementalHash _hash;

    public HubChecksum(HubFileInfo file)
    {
        (Key, Expected) = file.Sha256 is { } sha256 ? ("sha256", sha256) : ("gitoid", file.GitOid);
        _hash = IncrementalHash.CreateHash(file.Sha256 is null ? HashAlgorithmName.SHA1 : HashAlgorithmName.SHA256);
        if (file.Sha256 is null) _hash.AppendData(Encoding.ASCII.GetBytes($"blob {file.Size}\0"));
    }

    /// <summary>Key in a blob's metadata under which the verified checksum is stored.</summary>
    public string Key { get; }

    /// <summary>The Hub's checksum, lower-case hexadecimal.</summary>
    public string Expected { get; }

    /// <summary>True when a blob's metadata marks the blob as the complete, verified file.</summary>
    public bool IsIn(IDictionary<string, string> metadata) => metadata.TryGetValue(Key, out var found) && found == Expected;

    public void Append(ReadOnlySpan<byte> content) => _hash.AppendData(content);

    /// <summary>Computes the checksum of the appended content, lower-case hexadecimal.</summary>
    public string Actual() => Convert.ToHexStringLower(_hash.GetCurrentHash());

    public void Dispose() => _hash.Dispose();
}
