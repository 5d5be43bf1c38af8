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

    /// <returns>The number of images that look like one of a split before theirs, and the closest pairs, each such image once.</returns>
    public static (long Images, IReadOnlyList<NearDuplicate> Pairs) Find(IReadOnlyList<HashedImages> images)
    {
        List<HashedImages> groups = [.. images.OrderBy(of => Array.IndexOf(Order, of.Split))];
        var (hashes, ranks) = (new ulong[groups.Sum(of => of.Count)], new byte[groups.Sum(of => of.Count)]);
        var places = new List<(int Start, HashedImages Images)>();
        var next = 0;
        foreach (var group in groups)
        {
            places.Add((next, group));
            for (var i = 0; i < group.Count; i++, next++)
                (hashes[next], ranks[next]) = (group.HashAt(i), (byte)Array.IndexOf(Order, group.Split));
        }
        var (distances, matches) = (new byte[hashes.Length], new int[hashes.Length]);
        Array.Fill(distances, None);
        for (var band = 0; band < Bands; band++) Compare(hashes, ranks, band, distances, matches);
        var alike = Enumerable.Range(0, hashes.Length).Where(i => distances[i] != None).ToList();
        return (alike.Count, [.. alike.OrderBy(i => distances[i]).Take(MostPairs).Select(i => Pair(matches[i], i, distances[i]))]);

        NearDuplicate Pair(int first, int second, int distance)
        {
            var ((a, i), (b, j)) = (Place(first), Place(second));
            return new NearDuplicate(a.RowAt(i), a.Split, a.Sha256At(i), b.RowAt(j), b.Split, b.Sha256At(j), distance);
        }

        (HashedImages Images, int Index) Place(int image)
        {
            var (start, group) = places.Last(place => place.Start <= image && place.Images.Count > 0);
            return (group, image - start);
        }
    }

    /// <summary>Compares the images whose hashes are equal in a band.</summary>
    /// <param name="ranks">Splits of the images, in ascending order.</param>
    /// <param name="distances">The smallest distance of each image that was found so far.</param>
    /// <param name="matches">The image at that distance.</param>
    private static void Compare(ulong[] hashes, byte[] ranks, int band, byte[] distances, int[] matches)
    {
        var (from, to) = (64 * band / Bands, 64 * (band + 1) / Bands);
        var keys = 1 << (to - from);
        // Counting sort, which keeps the order of the splits within a bucket.
        var starts = new int[keys + 1];
        foreach (var hash in hashes) starts[Key(hash) + 1]++;
        for (var key = 0; key < keys; key++) starts[key + 1] += starts[key];
        var (sorted, filled) = (new int[hashes.Length], starts[..keys]);
        for (var i = 0; i < hashes.Length; i++) sorted[filled[Key(hashes[i])]++] = i;
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
