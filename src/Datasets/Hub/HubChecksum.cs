using System.Security.Cryptography;
using System.Text;

namespace FunctionsPipeline.Datasets;

/// <summary>
/// What the Hub says that a file's content is: its SHA-256 for large storage, for other files their id as a git blob, which is the SHA-1
/// of <c>blob {size}\0</c> and the content.
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

    /// <summary>The key in a blob's metadata that says that this was found in it.</summary>
    public string Key { get; }

    /// <summary>Lower-case hexadecimal.</summary>
    public string Expected { get; }

    /// <summary>Whether a blob's metadata says that the file is in it, whole and verified.</summary>
    public bool IsIn(IDictionary<string, string> metadata) => metadata.TryGetValue(Key, out var found) && found == Expected;

    public void Append(ReadOnlySpan<byte> content) => _hash.AppendData(content);

    /// <summary>What was found in all that was appended, lower-case hexadecimal.</summary>
    public string Actual() => Convert.ToHexStringLower(_hash.GetCurrentHash());

    public void Dispose() => _hash.Dispose();
}
