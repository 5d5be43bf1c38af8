using FunctionsPipeline.Contracts;
using FunctionsPipeline.Datasets.Quality;
using FunctionsPipeline.Datasets.Storage;
using FunctionsPipeline.Images;
using FunctionsPipeline.SampleData;
using FunctionsPipeline.Tests;

namespace FunctionsPipeline.Datasets.Tests.Quality;

public sealed class NearDuplicateTests(AzuriteFixture azurite) : IClassFixture<AzuriteFixture>
{
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(7)]
    public async Task Images_of_different_splits_that_look_alike_are_pairs_in_whatever_part_they_are(int partRows)
    {
        ManifestRow[] rows =
        [
            Row(3, Splits.Test, 0xffff_000f), Row(0, Splits.Train, 0xffff_0000), Row(1, Splits.Train, 0xffff_0000),
            Row(2, Splits.Validation, 0xffff_0000), Row(4, Splits.Test, 0x0000_ffff_ffff_ffff),
            Row(5, Splits.Test, 0xffff_0000) with { State = RowState.Duplicate }, Row(6, Splits.Test, 0) with { PerceptualHash = null },
        ];
        await using var harness = await IngestionHarness.OpenAsync(azurite, new HubServerOptions());
        var hashes = new ImageHashes(harness.Container, new DatasetBlobs("team/catalog", new string('a', 40), $"parts-of-{partRows}"));
        var parts = rows.Chunk(partRows).ToList();
        foreach (var (part, members) in parts.Index())
        {
            using var entries = new MemoryStream();
            using var writer = new BinaryWriter(entries);
            foreach (var row in members) ImageHashes.Add(writer, row);
            entries.Position = 0;
            await hashes.WriteAsync(part, entries, CancellationToken.None);
        }

        var (images, pairs, leftOut) = await hashes.FindNearDuplicatesAsync(parts.Count, CancellationToken.None);

        Assert.Equal((2, 0), (images, leftOut));
        Assert.Equal(
            [
                new NearDuplicate("images/0", Splits.Train, rows[1].Sha256!, "images/2", Splits.Validation, rows[3].Sha256!, 0),
                new NearDuplicate("images/0", Splits.Train, rows[1].Sha256!, "images/3", Splits.Test, rows[0].Sha256!, 4),
            ],
            pairs);
    }

    [Fact]
    public void All_near_duplicates_are_found_and_no_other()
    {
        var random = new Random(5);
        var train = Enumerable.Range(0, 400).Select(_ => (ulong)random.NextInt64()).ToList();
        var images = train.Select(hash => (Hash: hash, Split: Splits.Train)).ToList();
        var expected = 0;
        for (var image = 400; image < 700; image++)
        {
            // A copy whose hash differs in some bits: it looks alike up to four.
            var (hash, changed) = (train[random.Next(train.Count)], random.Next(13));
            foreach (var bit in Enumerable.Range(0, 64).OrderBy(_ => random.Next()).Take(changed)) hash ^= 1UL << bit;
            images.Add((hash, Splits.Validation));
            if (train.Any(other => new PerceptualHash(other).DistanceTo(new PerceptualHash(hash)) <= PerceptualHash.LargestDistance))
                expected++;
        }
        var mixed = images.OrderBy(_ => random.Next()).ToList();

        var (found, pairs) = NearDuplicateSearch.Find(
            [.. mixed.Select(image => image.Hash)], [.. mixed.Select(image => image.Split)]);

        Assert.Equal(expected, found);
        Assert.InRange(expected, 100, 250);
        Assert.Equal(20, pairs.Count);
        Assert.Equal(pairs.Select(pair => pair.Distance).Order(), pairs.Select(pair => pair.Distance));
        Assert.All(pairs, pair => Assert.Equal((Splits.Train, Splits.Validation), (mixed[pair.First].Split, mixed[pair.Second].Split)));
    }

    private static ManifestRow Row(long row, string split, ulong hash) => new()
    {
        Row = row,
        SourceSplit = "images",
        Split = split,
        State = RowState.Stored,
        Sha256 = $"{row + 1:x64}",
        Width = 400,
        Height = 300,
        PerceptualHash = new PerceptualHash(hash).ToString(),
    };
}
