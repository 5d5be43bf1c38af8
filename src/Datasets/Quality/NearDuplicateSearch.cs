using System.Numerics;
using FunctionsPipeline.Contracts;
using FunctionsPipeline.Images;

namespace FunctionsPipeline.Datasets.Quality;

/// <summary>
/// Finds images of different splits whose perceptual hashes differ in few bits, without comparing all with all: of hashes that differ in
/// at most d bits, at least one of d + 1 bands is equal (multi-index hashing, Norouzi et al., https://arxiv.org/abs/1307.2982).
/// </summary>
internal static class NearDuplicateSearch
{
    private const int MostPairs = 20;
    private const int Bands = PerceptualHash.LargestDistance + 1;
    private const byte None = byte.MaxValue;

    // An image is compared with those of the splits before its own.
    private static readonly string[] Order = [Splits.Train, Splits.Validation, Splits.Test];

    /// <param name="hashes">Perceptual hashes of all images.</param>
    /// <param name="splits">The split of each image.</param>
    /// <returns>The number of images that look like one of a split before theirs, and the closest pairs, each such image once.</returns>
    public static (long Images, IReadOnlyList<(int First, int Second, int Distance)> Pairs) Find(
        ReadOnlySpan<ulong> hashes, ReadOnlySpan<string> splits)
    {
        var (ranks, distances, matches) = (new byte[hashes.Length], new byte[hashes.Length], new int[hashes.Length]);
        for (var i = 0; i < ranks.Length; i++) ranks[i] = (byte)Array.IndexOf(Order, splits[i]);
        Array.Fill(distances, None);
        for (var band = 0; band < Bands; band++) Compare(hashes, ranks, band, distances, matches);
        var alike = Enumerable.Range(0, distances.Length).Where(i => distances[i] != None).ToList();
        return (alike.Count, [.. alike.OrderBy(i => distances[i]).ThenBy(i => ranks[i]).Take(MostPairs)
            .Select(i => (matches[i], i, (int)distances[i]))]);
    }

    /// <summary>Compares the images whose hashes are equal in a band.</summary>
    /// <param name="ranks">Splits of the images, in ascending order.</param>
    /// <param name="distances">The smallest distance of each image that was found so far.</param>
    /// <param name="matches">The image at that distance.</param>
    private static void Compare(ReadOnlySpan<ulong> hashes, byte[] ranks, int band, byte[] distances, int[] matches)
    {
        var (from, to) = (64 * band / Bands, 64 * (band + 1) / Bands);
        var keys = 1 << (to - from);
        var starts = new int[keys + 1];
        foreach (var hash in hashes) starts[Key(hash) + 1]++;
        for (var key = 0; key < keys; key++) starts[key + 1] += starts[key];
        // Counting sort, with the splits of a bucket in their order.
        var (sorted, filled) = (new int[hashes.Length], starts[..keys]);
        for (var rank = 0; rank < Order.Length; rank++)
            for (var i = 0; i < hashes.Length; i++)
                if (ranks[i] == rank) sorted[filled[Key(hashes[i])]++] = i;
        for (var key = 0; key < keys; key++)
        {
            var bucket = sorted.AsSpan(starts[key]..starts[key + 1]);
            foreach (var image in bucket)
            {
                if (ranks[image] == 0) continue;
                foreach (var other in bucket)
                {
                    if (ranks[other] >= ranks[image] || distances[image] == 0) break;
                    var distance = BitOperations.PopCount(hashes[image] ^ hashes[other]);
                    if (distance <= PerceptualHash.LargestDistance && distance < distances[image])
                        (distances[image], matches[image]) = ((byte)distance, other);
                }
            }
        }

        int Key(ulong hash) => (int)(hash >> from) & (keys - 1);
    }
}
