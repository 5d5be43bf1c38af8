using Azure.Storage.Blobs.Models;
using FunctionsPipeline.Contracts;
using FunctionsPipeline.Datasets.Hub;
using FunctionsPipeline.SampleData;
using FunctionsPipeline.Tests;

namespace FunctionsPipeline.Datasets.Tests.Hub;

public sealed class ModelMirrorTests(AzuriteFixture azurite) : IClassFixture<AzuriteFixture>, IDisposable
{
    private readonly DirectoryInfo _models = Directory.CreateTempSubdirectory("models-");

    [Fact]
    public async Task A_checkpoint_is_copied_once_and_complete_json_comes_last()
    {
        var weights = WriteModel("tiny", "config.json", "tokenizer.json", "model.safetensors", "README.md");
        await using var harness = await IngestionHarness.OpenAsync(azurite, new HubServerOptions { Rows = 1, Models = _models.FullName });
        var mirror = new ModelMirror(harness.Client, harness.Blobs);
        var commit = await mirror.ResolveCommitAsync(new BaseModelRequest { Repo = "samples/tiny" });

        var folder = await mirror.MirrorAsync("samples/tiny", commit);
        var first = await BlobsAsync(harness, folder);
        await mirror.MirrorAsync("samples/tiny", commit);

        Assert.Equal(BlobNames.BaseModel("samples/tiny", commit), folder);
        Assert.Equal(["complete.json", "config.json", "model.safetensors", "tokenizer.json"],
            first.Select(b => b.Name[(folder.Length + 1)..]));
        Assert.Equal(first, await BlobsAsync(harness, folder));
        Assert.All(first, blob => Assert.True(blob.At <= first[0].At));
        var copy = (await harness.Blobs.GetBlobContainerClient(Containers.Models).GetBlobClient($"{folder}/model.safetensors")
            .DownloadContentAsync()).Value.Content;
        Assert.Equal(weights, copy.ToArray());
    }

    [Fact]
    public async Task Progress_is_told_within_large_files_and_a_restart_goes_on_where_the_mirror_stopped()
    {
        WriteModel("large", "config.json", "model.safetensors");
        await using var harness = await IngestionHarness.OpenAsync(azurite, new HubServerOptions { Rows = 1, Models = _models.FullName });
        var client = new HubClient(HubClient.CreateHttpClient(),
            new HubOptions { Endpoint = harness.Hub.Url, BlockSize = 100_000, BlocksAtOnce = 1 });
        var mirror = new ModelMirror(client, harness.Blobs);
        using var stop = new CancellationTokenSource();
        var (first, second) = (new Steps { StopAt = (700_000, stop) }, new Steps());

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => mirror.MirrorAsync("samples/large", "main", first, stop.Token));
        await mirror.MirrorAsync("samples/large", "main", second);

        Assert.Equal([0, 100_000, 200_000, 300_000, 400_000, 500_000, 500_000, 600_000, 700_000], first.Bytes);
        Assert.Equal([500_000, 700_000, 800_000, 900_000, 1_000_000], second.Bytes);
    }

    [Fact]
    public async Task A_damaged_file_leaves_the_mirror_incomplete()
    {
        WriteModel("tiny", "config.json", "model.safetensors");
        await using var harness = await IngestionHarness.OpenAsync(azurite, new HubServerOptions
        {
            Rows = 1, Models = _models.FullName,
            Faults = [new FaultRule("*.safetensors", new CorruptFault()) { Times = 1 }],
        });
        var mirror = new ModelMirror(harness.Client, harness.Blobs);
        var commit = await mirror.ResolveCommitAsync(new BaseModelRequest { Repo = "samples/tiny" });

        await Assert.ThrowsAsync<HubException>(() => mirror.MirrorAsync("samples/tiny", commit));

        Assert.Equal(["config.json"],
            (await BlobsAsync(harness, BlobNames.BaseModel("samples/tiny", commit))).Select(b => Path.GetFileName(b.Name)));
    }

    [Fact]
    public async Task A_missing_model_a_missing_revision_and_a_folder_that_is_no_checkpoint_are_the_requests_fault()
    {
        WriteModel("notes", "notes.txt");
        await using var harness = await IngestionHarness.OpenAsync(azurite, new HubServerOptions { Rows = 1, Models = _models.FullName });
        var mirror = new ModelMirror(harness.Client, harness.Blobs);

        Assert.Equal(("baseModel.repo", 404),
            await RefusalOf(() => mirror.ResolveCommitAsync(new BaseModelRequest { Repo = "samples/none" })));
        Assert.Equal(("baseModel.revision", 404),
            await RefusalOf(() => mirror.ResolveCommitAsync(new BaseModelRequest { Repo = "samples/notes", Revision = "v2" })));
        Assert.Equal(("baseModel.repo", 400), await RefusalOf(() => mirror.MirrorAsync("samples/notes", "main")));
    }

    public void Dispose() => _models.Delete(recursive: true);

    private static async Task<(string, int)> RefusalOf(Func<Task<string>> action)
    {
        var refusal = await Assert.ThrowsAsync<RequestException>(action);
        return (refusal.Field, refusal.Status);
    }

    private byte[] WriteModel(string name, params string[] files)
    {
        var content = Enumerable.Range(0, 500_000).Select(i => (byte)(i % 251)).ToArray();
        var folder = _models.CreateSubdirectory(name).FullName;
        foreach (var file in files) File.WriteAllBytes(Path.Combine(folder, file), content);
        return content;
    }

    private static async Task<List<(string Name, DateTimeOffset At, string ETag)>> BlobsAsync(IngestionHarness harness, string folder)
    {
        var blobs = new List<(string, DateTimeOffset, string)>();
        await foreach (var blob in harness.Blobs.GetBlobContainerClient(Containers.Models)
            .GetBlobsAsync(new GetBlobsOptions { Prefix = folder }))
            blobs.Add((blob.Name, blob.Properties.LastModified!.Value, blob.Properties.ETag!.Value.ToString()));
        return blobs;
    }

    private sealed class Steps : IProgress<MirrorProgress>
    {
        public List<long> Bytes { get; } = [];

        public (long Bytes, CancellationTokenSource Source)? StopAt { get; init; }

        public void Report(MirrorProgress value)
        {
            Assert.Equal(1_000_000, value.TotalBytes);
            Bytes.Add(value.Bytes);
            if (value.Bytes >= StopAt?.Bytes) StopAt.Value.Source.Cancel();
        }
    }
}
