using System.Text;
using Azure.Storage.Blobs;
using FunctionsPipeline.Contracts;
using FunctionsPipeline.Datasets.Storage;
using FunctionsPipeline.Tests;

namespace FunctionsPipeline.Datasets.Tests;

public sealed class StoredDatasetsTests(AzuriteFixture azurite) : IClassFixture<AzuriteFixture>, IAsyncLifetime
{
    private readonly DatasetBlobs _dataset = new($"samples/{Guid.NewGuid():N}", new string('a', 40), "0123abcd");

    private BlobContainerClient Container => azurite.Blobs.GetBlobContainerClient(Containers.Datasets);

    private StoredDatasets Datasets => new(azurite.Blobs);

    public Task InitializeAsync() => Container.CreateIfNotExistsAsync();

    public Task DisposeAsync() => Task.CompletedTask;

    [Fact]
    public async Task Ingested_datasets_are_listed_the_last_one_first()
    {
        var second = _dataset with { View = "other" };
        foreach (var view in new[] { _dataset, second })
        {
            await UploadAsync(view.Report, "{}");
            // Times of changes have seconds.
            await Task.Delay(1100);
        }
        await UploadAsync((_dataset with { Commit = new string('b', 40) }).Plan, "{}");
        await UploadAsync(_dataset.Image(new string('c', 64)), "image");
        await UploadAsync($"corrections/{new string('a', 40)}/v/report.json", "{}");
        var listed = (await Datasets.ListAsync(default)).Where(view => view.Repo == _dataset.Repo);
        Assert.Equal([second, _dataset], listed.Select(view => new DatasetBlobs(view.Repo, view.Commit, view.View)));
        Assert.DoesNotContain(await Datasets.ListAsync(default), view => view.Repo.Contains("corrections", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Rows_come_page_by_page_over_all_units()
    {
        await WriteAsync("train", 0, Row(0), Row(1), Row(2));
        await WriteAsync("train", 1, Row(3), Row(4));
        await WriteAsync("validation", 2, Row(0) with { SourceSplit = "validation", Split = Splits.Validation });
        foreach (var top in new[] { 1, 2, 3, 4, 100 })
        {
            var rows = await AllAsync(new RowFilter(), top);
            Assert.Equal(
                ["train 0", "train 1", "train 2", "train 3", "train 4", "validation 0"],
                rows.Select(row => $"{row.SourceSplit} {row.Row}"));
        }
        Assert.Null(await Datasets.RowsAsync(_dataset with { View = "none" }, new RowFilter(), 10, null, default));
    }

    [Fact]
    public async Task Rows_are_found_by_state_reason_and_split()
    {
        await WriteAsync("train", 0, Row(0), Rejected(1, Rejection.TooLarge), Row(2) with { Split = Splits.Test });
        await WriteAsync("train", 1, Row(3), Row(4));
        await WriteAsync("train", 2, Rejected(5, Rejection.BadPrice));
        await UploadAsync(_dataset.Duplicates("train", 1), "[4]");
        Assert.Equal([0, 2, 3], await FindAsync(new RowFilter(RowState.Stored)));
        Assert.Equal([4], await FindAsync(new RowFilter(RowState.Duplicate)));
        Assert.Equal([1, 5], await FindAsync(new RowFilter(RowState.Rejected)));
        Assert.Equal([5], await FindAsync(new RowFilter(Reason: Rejection.BadPrice)));
        Assert.Equal([2], await FindAsync(new RowFilter(Split: Splits.Test)));
        Assert.Empty(await FindAsync(new RowFilter(RowState.Stored, Rejection.BadPrice)));

        async Task<IEnumerable<long>> FindAsync(RowFilter filter) => (await AllAsync(filter, 2)).Select(row => row.Row);
    }

    [Theory]
    [InlineData("train-00000")]
    [InlineData("train-00000:")]
    [InlineData("train-00000:1")]
    [InlineData("train-00000:-1")]
    [InlineData("train-00000:99999")]
    [InlineData("train-00009:0")]
    public async Task A_continuation_that_is_none_is_refused(string continuation)
    {
        await WriteAsync("train", 0, Row(0), Row(1));
        await Assert.ThrowsAsync<FormatException>(() => Datasets.RowsAsync(_dataset, new RowFilter(), 10, continuation, default));
    }

    [Fact]
    public async Task A_page_ends_after_a_bounded_amount_of_reading()
    {
        var title = new string('t', 1000);
        await WriteAsync("train", 0, [.. Enumerable.Range(0, 6000).Select(i => Row(i) with { Title = title })]);
        await WriteAsync("train", 1, Row(6000) with { Split = Splits.Test });
        var page = (await Datasets.RowsAsync(_dataset, new RowFilter(Split: Splits.Test), 10, null, default))!;
        Assert.Empty(page.Rows);
        Assert.StartsWith("train-00000:", page.Continuation, StringComparison.Ordinal);
        Assert.Equal(6000, Assert.Single(await AllAsync(new RowFilter(Split: Splits.Test), 10)).Row);
    }

    [Fact]
    public async Task Lines_are_read_whole_however_they_lie_in_the_blob()
    {
        var random = new Random(3);
        var some = Enumerable.Range(0, 200).Select(_ => new string((char)('a' + random.Next(26)), random.Next(20_000)));
        string[] lines = [.. some, new string('z', 700_000)];
        var blob = await UploadAsync($"{_dataset.ViewPrefix}/lines", string.Concat(lines.Select(line => $"{line}\n")) + "not yet");
        var read = new List<string>();
        var offset = 0L;
        // From every line on that a caller may have stopped at.
        for (var skipped = 0; skipped < lines.Length; skipped += 67, read.Clear())
        {
            await foreach (var (line, _) in blob.ReadLinesAsync(offset, default)) read.Add(Encoding.UTF8.GetString(line.Span));
            Assert.Equal(lines[skipped..], read);
            offset += lines.Skip(skipped).Take(67).Sum(line => line.Length + 1);
        }
        var empty = await UploadAsync($"{_dataset.ViewPrefix}/empty", "");
        Assert.Empty(await empty.ReadLinesAsync(0, default).ToListAsync());
    }

    private static ManifestRow Row(long row) => new()
    {
        Row = row, SourceSplit = "train", Split = Splits.Train, State = RowState.Stored, Sha256 = new string('5', 64), Bytes = 10,
    };

    private static ManifestRow Rejected(long row, string reason) =>
        Row(row) with { State = RowState.Rejected, Reason = reason, Sha256 = null };

    private Task WriteAsync(string split, int unit, params ManifestRow[] rows) =>
        new ManifestStore(Container).WriteAsync(_dataset.Manifest(split, unit), rows, default);

    private async Task<BlobClient> UploadAsync(string name, string content)
    {
        await Container.GetBlobClient(name).UploadAsync(BinaryData.FromString(content), overwrite: true);
        return Container.GetBlobClient(name);
    }

    private async Task<List<ManifestRow>> AllAsync(RowFilter filter, int top)
    {
        var rows = new List<ManifestRow>();
        string? continuation = null;
        do
        {
            var page = (await Datasets.RowsAsync(_dataset, filter, top, continuation, default))!;
            Assert.InRange(page.Rows.Count, 0, top);
            rows.AddRange(page.Rows);
            continuation = page.Continuation;
        }
        while (continuation is not null);
        return rows;
    }
}
