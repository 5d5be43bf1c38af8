using System.Runtime.CompilerServices;
using System.Security.Cryptography;
using Azure.Storage.Blobs;
using FunctionsPipeline.Contracts;
using FunctionsPipeline.Datasets.Quality;
using FunctionsPipeline.Images;

namespace FunctionsPipeline.Datasets.Storage;

/// <summary>
/// Perceptual hashes of the images of usable rows. Each part of the catalog writes the entries of its rows; of all entries, the search for
/// near-duplicates has only the hashes in memory, and reads again which images were found.
/// </summary>
internal sealed class ImageHashes(BlobContainerClient container, DatasetBlobs dataset)
{
    /// <summary>Maximum number of images that are compared.</summary>
    public const int Most = 500_000;

    /// <summary>Adds an entry for a usable row; none when its image has no hash.</summary>
    public static void Add(BinaryWriter entries, ManifestRow row)
    {
        if (row is not { State: RowState.Stored, PerceptualHash: { } hash, Sha256: { } sha256 }) return;
        entries.Write(PerceptualHash.Parse(hash).Bits);
        entries.Write(row.Split);
        entries.Write(row.SourceSplit);
        entries.Write(row.Row);
        entries.Write(Convert.FromHexString(sha256));
    }

    /// <summary>Writes the entries of a part.</summary>
    public Task WriteAsync(int part, Stream entries, CancellationToken cancellationToken) =>
        container.GetBlobClient(dataset.ImageHashes(part)).CreateAsync(entries, "application/octet-stream", cancellationToken);

    /// <summary>Finds images of different splits that look alike. All parts must have been written.</summary>
    public async Task<NearDuplicates> FindNearDuplicatesAsync(int parts, CancellationToken cancellationToken)
    {
        var (hashes, splits) = (new List<ulong>(), new List<string>());
        var leftOut = 0L;
        await foreach (var entry in ReadAsync(parts, cancellationToken))
        {
            if (hashes.Count == Most) leftOut++;
            else
            {
                hashes.Add(entry.Hash);
                splits.Add(entry.Split);
            }
        }
        var (images, pairs) = NearDuplicateSearch.Find([.. hashes], [.. splits]);
        if (images == 0) return new NearDuplicates(0, [], leftOut);
        var sought = pairs.SelectMany(pair => new[] { pair.First, pair.Second }).ToHashSet();
        var found = new Dictionary<int, Entry>();
        var next = 0;
        await foreach (var entry in ReadAsync(parts, cancellationToken))
        {
            if (sought.Contains(next)) found[next] = entry;
            if (++next == hashes.Count) break;
        }
        return new NearDuplicates(
            images, [.. pairs.Select(pair => Describe(found[pair.First], found[pair.Second], pair.Distance))], leftOut);
    }

    private static NearDuplicate Describe(Entry first, Entry second, int distance) =>
        new(first.Place, first.Split, first.Sha256, second.Place, second.Split, second.Sha256, distance);

    private async IAsyncEnumerable<Entry> ReadAsync(int parts, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        for (var part = 0; part < parts; part++)
        {
            using var entries = new BinaryReader(
                await TemporaryFile.CopyAsync(container.GetBlobClient(dataset.ImageHashes(part)), cancellationToken));
            while (entries.BaseStream.Position < entries.BaseStream.Length)
            {
                // A few names of splits, each of them once in memory.
                yield return new Entry(entries.ReadUInt64(), string.Intern(entries.ReadString()), string.Intern(entries.ReadString()),
                    entries.ReadInt64(), entries.ReadBytes(SHA256.HashSizeInBytes));
            }
        }
    }

    private readonly record struct Entry(ulong Hash, string Split, string SourceSplit, long Row, byte[] Sha)
    {
        public string Place => $"{SourceSplit}/{Row}";

        public string Sha256 => Convert.ToHexStringLower(Sha);
    }
}

/// <summary>Images of different splits that look alike.</summary>
/// <param name="Images">Number of images that look like one of a split before theirs.</param>
/// <param name="Pairs">The closest pairs.</param>
/// <param name="LeftOut">Number of images that were not compared, as there are too many.</param>
internal sealed record NearDuplicates(long Images, IReadOnlyList<NearDuplicate> Pairs, long LeftOut)
{
    public static NearDuplicates None { get; } = new(0, [], 0);
}
