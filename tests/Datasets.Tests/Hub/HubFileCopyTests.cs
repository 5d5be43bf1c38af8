using System.Collections.Concurrent;
using System.Net;
using System.Security.Cryptography;
using Azure.Storage.Blobs.Models;
using Azure.Storage.Blobs.Specialized;
using FunctionsPipeline.Contracts;
using FunctionsPipeline.Datasets.Hub;
using FunctionsPipeline.SampleData;
using FunctionsPipeline.Tests;

namespace FunctionsPipeline.Datasets.Tests.Hub;

public sealed class HubFileCopyTests(AzuriteFixture azurite) : IClassFixture<AzuriteFixture>, IDisposable
{
    private const string Repo = "samples/tiny";
    private const int Block = 100_000;
    private const int Size = 950_000;

    private readonly DirectoryInfo _models = Directory.CreateTempSubdirectory("models-");
    private readonly byte[] _content = RandomNumberGenerator.GetBytes(Size);

    [Theory]
    [InlineData("model.safetensors", Size, "sha256")]
    [InlineData("tokenizer.json", Size, "gitoid")]
    [InlineData("model.safetensors", 3 * Block, "sha256")]
    [InlineData("tokenizer.json", 0, "gitoid")]
    public async Task A_file_is_copied_and_its_metadata_says_what_was_verified(string name, int size, string key)
    {
        await using var hub = await ServeAsync(name, size);
        var (file, target) = (await ListAsync(hub, name), await TargetAsync());
        var progress = new Steps();

        Assert.True(await Copy(hub).CopyAsync(HubRepositoryKind.Model, Repo, "main", file, target, progress));
        var copied = (await target.DownloadContentAsync()).Value;
        Assert.False(await Copy(hub).CopyAsync(HubRepositoryKind.Model, Repo, "main", file, target));

        Assert.Equal(_content[..size], copied.Content.ToArray());
        Assert.Equal(KeyValuePair.Create(key, file.Sha256 ?? file.GitOid), Assert.Single(copied.Details.Metadata));
        Assert.Equal(copied.Details.ETag, (await target.GetPropertiesAsync()).Value.ETag);
        Assert.Equal((0L, (long)size), (progress.Bytes[0], progress.Bytes[^1]));
    }

    [Fact]
    public async Task A_restart_does_not_fetch_again_what_is_stored()
    {
        await using var hub = await ServeAsync();
        var (file, target) = (await ListAsync(hub), await TargetAsync());
        await CopyPartAsync(hub, file, target, blocks: 4);
        Assert.False(await target.ExistsAsync());

        var (requests, second) = (new CountedRequests(), new Steps());
        Assert.True(await Copy(hub, requests).CopyAsync(HubRepositoryKind.Model, Repo, "main", file, target, second));

        Assert.Equal([.. Enumerable.Range(4, 6).Select(i => ((long?)(i * Block), (long?)(Math.Min((i + 1) * Block, Size) - 1)))],
            requests.Ranges);
        Assert.Equal(4 * Block, second.Bytes[0]);
        Assert.Equal(_content, (await target.DownloadContentAsync()).Value.Content.ToArray());
    }

    [Fact]
    public async Task A_restart_after_a_restart_goes_on_from_the_second_one()
    {
        await using var hub = await ServeAsync();
        var (file, target) = (await ListAsync(hub), await TargetAsync());
        foreach (var blocks in new[] { 2, 6 }) await CopyPartAsync(hub, file, target, blocks);
        // What is committed by now is half a file, and does not say that it is more.
        Assert.Empty((await target.GetPropertiesAsync()).Value.Metadata);
        var last = new Steps();

        Assert.True(await Copy(hub).CopyAsync(HubRepositoryKind.Model, Repo, "main", file, target, last));

        Assert.Equal(6 * Block, last.Bytes[0]);
        Assert.Equal(_content, (await target.DownloadContentAsync()).Value.Content.ToArray());
    }

    [Fact]
    public async Task Blocks_of_another_version_are_not_mixed_in()
    {
        await using var hub = await ServeAsync();
        var (file, target) = (await ListAsync(hub), await TargetAsync());
        await CopyPartAsync(hub, file, target, blocks: 4);
        _content.AsSpan().Reverse();
        await using var changed = await ServeAsync();
        var start = new Steps();

        Assert.True(await Copy(changed).CopyAsync(HubRepositoryKind.Model, Repo, "main", await ListAsync(changed), target, start));

        Assert.Equal(0, start.Bytes[0]);
        Assert.Equal(_content, (await target.DownloadContentAsync()).Value.Content.ToArray());
    }

    [Fact]
    public async Task A_cut_connection_costs_only_what_had_not_come_yet()
    {
        await using var hub = await ServeAsync(new FaultRule("/cdn/*", new CutFault(0.47)) { Times = 1 });
        var (file, target, requests) = (await ListAsync(hub), await TargetAsync(), new CountedRequests());

        await Copy(hub, requests).CopyAsync(HubRepositoryKind.Model, Repo, "main", file, target);

        Assert.Equal("cut", hub.InjectedFaults.Single().Kind);
        Assert.Equal([(4 * Block, (5 * Block) - 1), ((long)(Size * 0.47), (5 * Block) - 1)],
            requests.Ranges.Where(r => r.To == (5 * Block) - 1).Select(r => (r.From!.Value, r.To!.Value)));
        Assert.Equal(_content, (await target.DownloadContentAsync()).Value.Content.ToArray());
    }

    [Fact]
    public async Task A_server_that_ignores_ranges_is_read_in_one_go_and_a_cut_does_not_lose_what_is_stored()
    {
        await using var hub = await ServeAsync(
            new FaultRule("/cdn/*", new CutFault(0.47)) { Times = 1 }, new FaultRule("/cdn/*", new NoRangesFault()));
        var (file, target, progress) = (await ListAsync(hub), await TargetAsync(), new Steps());

        await Copy(hub).CopyAsync(HubRepositoryKind.Model, Repo, "main", file, target, progress);

        Assert.Equal(_content, (await target.DownloadContentAsync()).Value.Content.ToArray());
        Assert.Equal(progress.Bytes.Order().Distinct(), progress.Bytes);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    public async Task Damaged_content_is_an_error_and_nothing_is_left_of_it(int blocksAtOnce)
    {
        await using var hub = await ServeAsync(new FaultRule("/cdn/*", new CorruptFault()) { Times = 1 });
        var (file, target) = (await ListAsync(hub), await TargetAsync());
        var options = Options(hub) with { BlocksAtOnce = blocksAtOnce };

        var failure = await Assert.ThrowsAsync<HubException>(() => new HubFileCopy(new HubClient(HubClient.CreateHttpClient(), options))
            .CopyAsync(HubRepositoryKind.Model, Repo, "main", file, target));
        Assert.True(failure.IsTransient);
        Assert.Contains(file.Sha256!, failure.Message, StringComparison.Ordinal);
        Assert.False(await target.ExistsAsync());
        Assert.True(await Copy(hub).CopyAsync(HubRepositoryKind.Model, Repo, "main", file, target));
        Assert.Equal(_content, (await target.DownloadContentAsync()).Value.Content.ToArray());
    }

    [Fact]
    public async Task Damage_in_what_an_earlier_try_has_stored_is_found()
    {
        await using var hub = await ServeAsync(new FaultRule("/cdn/*", new CorruptFault()) { Times = 1 });
        var (file, target) = (await ListAsync(hub), await TargetAsync());
        await CopyPartAsync(hub, file, target, blocks: 4);

        await Assert.ThrowsAsync<HubException>(() => Copy(hub).CopyAsync(HubRepositoryKind.Model, Repo, "main", file, target));
        Assert.True(await Copy(hub).CopyAsync(HubRepositoryKind.Model, Repo, "main", file, target));
        Assert.Equal(_content, (await target.DownloadContentAsync()).Value.Content.ToArray());
    }

    [Fact]
    public async Task A_part_of_another_version_is_an_error()
    {
        await using var hub = await ServeAsync(new FaultRule("*/resolve/*", new WrongEtagFault()) { Times = 1 });
        var (file, target) = (await ListAsync(hub), await TargetAsync());
        var failure = await Assert.ThrowsAsync<HubException>(
            () => Copy(hub).CopyAsync(HubRepositoryKind.Model, Repo, "main", file, target));
        Assert.Contains("ETag", failure.Message, StringComparison.Ordinal);
        Assert.True(failure.IsTransient);
    }

    [Fact]
    public async Task A_file_that_is_shorter_or_longer_than_listed_is_an_error()
    {
        await using var hub = await ServeAsync();
        var (file, target) = (await ListAsync(hub), await TargetAsync());
        foreach (var size in new[] { Size - 1, Size + 1 })
        {
            await Assert.ThrowsAsync<HubException>(
                () => Copy(hub).CopyAsync(HubRepositoryKind.Model, Repo, "main", file with { Size = size }, target));
        }
        var beyond = await ServeAsync(new FaultRule("/cdn/*", new StatusFault((int)HttpStatusCode.RequestedRangeNotSatisfiable)));
        await using (beyond)
        {
            var failure = await Assert.ThrowsAsync<HubException>(
                () => Copy(beyond).CopyAsync(HubRepositoryKind.Model, Repo, "main", file, target));
            Assert.Contains("has less than", failure.Message, StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task Of_two_copies_at_once_one_wins_and_the_other_one_finds_its_work_done_or_is_told_to_try_again()
    {
        await using var hub = await ServeAsync();
        var (file, target) = (await ListAsync(hub), await TargetAsync());
        async Task<bool> CopyUntilDoneAsync()
        {
            while (true)
            {
                try
                {
                    return await Copy(hub).CopyAsync(HubRepositoryKind.Model, Repo, "main", file, target);
                }
                catch (HubException e) when (e.IsTransient)
                {
                }
            }
        }

        await Task.WhenAll(Enumerable.Range(0, 3).Select(_ => CopyUntilDoneAsync()));

        var copied = (await target.DownloadContentAsync()).Value;
        Assert.Equal(_content, copied.Content.ToArray());
        Assert.Equal(file.Sha256, copied.Details.Metadata["sha256"]);
    }

    [Fact]
    public async Task Who_is_overtaken_is_told_so_and_overwrites_nothing()
    {
        await using var hub = await ServeAsync();
        var (file, target) = (await ListAsync(hub), await TargetAsync());
        var overtaken = new Steps
        {
            OnReport = bytes =>
            {
                if (bytes < Size) return;
                target.UploadAsync(new MemoryStream([1]), new BlobUploadOptions()).GetAwaiter().GetResult();
            },
        };
        var failure = await Assert.ThrowsAsync<HubException>(
            () => Copy(hub).CopyAsync(HubRepositoryKind.Model, Repo, "main", file, target, overtaken));
        Assert.True(failure.IsTransient);
        Assert.Equal([1], (await target.DownloadContentAsync()).Value.Content.ToArray());
    }

    public void Dispose() => _models.Delete(recursive: true);

    private static HubOptions Options(SampleHub hub) => new()
    {
        Endpoint = hub.Url, FirstDelay = TimeSpan.FromMilliseconds(1), BlockSize = Block, BlocksAtOnce = 2,
    };

    private static HubFileCopy Copy(SampleHub hub, CountedRequests? requests = null) =>
        new(new HubClient(requests is null ? HubClient.CreateHttpClient() : new HttpClient(requests), Options(hub)));

    private static async Task CopyPartAsync(SampleHub hub, HubFileInfo file, BlockBlobClient target, int blocks)
    {
        using var stop = new CancellationTokenSource();
        var progress = new Steps { OnReport = bytes => { if (bytes >= blocks * Block) stop.Cancel(); } };
        await Assert.ThrowsAnyAsync<OperationCanceledException>(
            () => Copy(hub).CopyAsync(HubRepositoryKind.Model, Repo, "main", file, target, progress, stop.Token));
    }

    private static async Task<HubFileInfo> ListAsync(SampleHub hub, string name = "model.safetensors") =>
        (await new HubClient(HubClient.CreateHttpClient(), Options(hub)).ListFilesAsync(HubRepositoryKind.Model, Repo, "main"))
        .Single(f => f.Path == name);

    private Task<SampleHub> ServeAsync(params FaultRule[] faults) => ServeAsync("model.safetensors", Size, faults);

    private Task<SampleHub> ServeAsync(string name, int size, params FaultRule[] faults)
    {
        File.WriteAllBytes(Path.Combine(_models.CreateSubdirectory("tiny").FullName, name), _content[..size]);
        return SampleHub.StartAsync(new HubServerOptions { Rows = 1, Models = _models.FullName, Faults = faults });
    }

    private async Task<BlockBlobClient> TargetAsync()
    {
        var container = azurite.Blobs.GetBlobContainerClient(Containers.Models);
        await container.CreateIfNotExistsAsync();
        return container.GetBlockBlobClient($"copies/{Guid.NewGuid():N}");
    }

    private sealed class Steps : IProgress<long>
    {
        public List<long> Bytes { get; } = [];

        public Action<long>? OnReport { get; init; }

        public void Report(long value)
        {
            Bytes.Add(value);
            OnReport?.Invoke(value);
        }
    }
}

/// <summary>Passes requests on to the network and remembers which ranges of files they asked for.</summary>
internal sealed class CountedRequests() : DelegatingHandler(new SocketsHttpHandler { AllowAutoRedirect = false })
{
    private readonly ConcurrentQueue<(string Path, long? From, long? To)> _requests = new();

    /// <summary>The ranges that the Hub was asked for, in the order of their beginnings; redirects are not counted again.</summary>
    public IReadOnlyList<(long? From, long? To)> Ranges =>
        [.. _requests.Where(r => r.Path.Contains("/resolve/", StringComparison.Ordinal)).Select(r => (r.From, r.To)).OrderBy(r => r.From)];

    protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        var range = request.Headers.Range?.Ranges.Single();
        _requests.Enqueue((request.RequestUri!.AbsolutePath, range?.From, range?.To));
        return base.SendAsync(request, cancellationToken);
    }
}
