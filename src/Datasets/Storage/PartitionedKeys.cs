using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text.Json;
using Azure.Storage.Blobs;
using FunctionsPipeline.Contracts;

namespace FunctionsPipeline.Datasets.Storage;

/// <summary>
/// Entries of the rows of a part of the catalog, divided into partitions by the beginning of a key, so that equal keys of all parts are in
/// the same partition. The entries are in temporary files.
/// </summary>
internal sealed class PartitionedKeys : IAsyncDisposable
{
    public const int KeyBytes = 16;

    private readonly FileStream[] _entries;
    private readonly BinaryWriter[] _writers;

    /// <param name="partitions">Number of partitions.</param>
    public PartitionedKeys(int partitions)
    {
        _entries = [.. Enumerable.Range(0, partitions).Select(_ => TemporaryFile.Create())];
        _writers = [.. _entries.Select(entries => new BinaryWriter(entries))];
    }

    /// <summary>Returns a key: the first 128 bits of a SHA-256 over the JSON of a value.</summary>
    public static UInt128 KeyOf<T>(T value) =>
        BinaryPrimitives.ReadUInt128BigEndian(SHA256.HashData(JsonSerializer.SerializeToUtf8Bytes(value, PipelineJson.Compact)));

    /// <summary>Begins an entry by its key; the caller writes the rest of it.</summary>
    public BinaryWriter Begin(UInt128 key)
    {
        // Keys are uniform in [0, 2^128): the upper 64 bits, scaled, give the partition.
        var writer = _writers[(int)Math.BigMul((ulong)(key >> 64), (ulong)_writers.Length, out _)];
        Span<byte> bytes = stackalloc byte[KeyBytes];
        BinaryPrimitives.WriteUInt128BigEndian(bytes, key);
        writer.Write(bytes);
        return writer;
    }

    /// <summary>Writes the entries of each partition.</summary>
    /// <param name="nameOf">Returns the name of the blob with a partition's entries.</param>
    public async Task WriteAsync(BlobContainerClient container, Func<int, string> nameOf, CancellationToken cancellationToken)
    {
        foreach (var (partition, entries) in _entries.Index())
        {
            entries.Position = 0;
            await container.GetBlobClient(nameOf(partition)).CreateAsync(entries, "application/octet-stream", cancellationToken);
        }
    }

    /// <summary>Reads the entries of a partition that a part has written.</summary>
    public static async Task<BinaryReader> ReadAsync(BlobClient blob, CancellationToken cancellationToken) =>
        new(await TemporaryFile.CopyAsync(blob, cancellationToken));

    /// <summary>Reads the key that an entry begins with; null after the last entry.</summary>
    public static UInt128? ReadKey(BinaryReader entries) =>
        entries.ReadBytes(KeyBytes) is { Length: KeyBytes } key ? BinaryPrimitives.ReadUInt128BigEndian(key) : null;

    public async ValueTask DisposeAsync()
    {
        foreach (var entries in _entries) await entries.DisposeAsync();
    }
}
