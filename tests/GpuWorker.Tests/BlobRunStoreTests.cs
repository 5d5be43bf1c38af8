using System.Text;
using Azure.Core;
using Azure.Core.Pipeline;
using Azure.Storage.Blobs;
using FunctionsPipeline.FineTuning;
using FunctionsPipeline.Tests;

namespace FunctionsPipeline.GpuWorker.Tests;

/// <summary>Blob storage and a local folder keep the same promises.</summary>
public sealed class BlobRunStoreTests(AzuriteFixture azurite) : IClassFixture<AzuriteFixture>, IDisposable
{
    private const string Container = "things";
    private readonly string _folder = Directory.CreateTempSubdirectory("store-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task What_is_written_appended_and_uploaded_can_be_listed_read_and_downloaded(bool inBlobs)
    {
        var store = await StoreAsync(inBlobs);
        var file = Path.Combine(_folder, "file");
        File.WriteAllText(file, "three");

        await store.WriteAsync(Container, "a/one", Bytes("zero"), default);
        await store.WriteAsync(Container, "a/one", Bytes("one"), default);
        await store.AppendAsync(Container, "a/two", Bytes("tw"), default);
        await store.AppendAsync(Container, "a/two", Bytes("o"), default);
        await store.UploadAsync(Container, "b/three", file, default);

        Assert.Equal(["a/one", "a/two"], await store.ListAsync(Container, "a/", default));
        Assert.Equal("one", Text(await store.ReadAsync(Container, "a/one", default)));
        Assert.Equal("two", Text(await store.ReadAsync(Container, "a/two", default)));
        await store.DownloadAsync(Container, "b/three", file + "2", default);
        Assert.Equal("three", File.ReadAllText(file + "2"));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task What_is_not_there_is_null_to_read_an_error_to_download_and_nothing_to_delete(bool inBlobs)
    {
        var store = await StoreAsync(inBlobs);
        Assert.Null(await store.ReadAsync(Container, "none", default));
        await Assert.ThrowsAsync<FileNotFoundException>(() => store.DownloadAsync(Container, "none", Path.Combine(_folder, "x"), default));
        await store.DeleteAsync(Container, "none", default);
        await store.WriteAsync(Container, "some", Bytes("1"), default);
        await store.DeleteAsync(Container, "some", default);
        Assert.Null(await store.ReadAsync(Container, "some", default));
    }

    [Fact]
    public async Task An_append_whose_response_is_lost_is_made_once()
    {
        await StoreAsync(inBlobs: true);
        var options = new BlobClientOptions { Retry = { Delay = TimeSpan.FromMilliseconds(1) } };
        options.AddPolicy(new LostResponse(), HttpPipelinePosition.PerRetry);
        var store = new BlobRunStore(new BlobServiceClient(azurite.ConnectionString, options));
        await store.AppendAsync(Container, "lost/metrics", Bytes("one"), default);
        await store.AppendAsync(Container, "lost/metrics", Bytes("two"), default);
        Assert.Equal("onetwo", Text(await store.ReadAsync(Container, "lost/metrics", default)));
    }

    private async Task<IRunStore> StoreAsync(bool inBlobs)
    {
        if (!inBlobs) return new LocalRunStore(Path.Combine(_folder, "storage"));
        await azurite.Blobs.GetBlobContainerClient(Container).CreateIfNotExistsAsync();
        return new BlobRunStore(azurite.Blobs);
    }

    /// <summary>Loses the response to the first append.</summary>
    private sealed class LostResponse : HttpPipelineSynchronousPolicy
    {
        private bool _lost;

        public override void OnReceivedResponse(HttpMessage message)
        {
            if (_lost || !message.Request.Uri.Query.Contains("comp=appendblock", StringComparison.Ordinal)) return;
            _lost = true;
            throw new IOException("The response is lost.");
        }
    }

    private static byte[] Bytes(string text) => Encoding.UTF8.GetBytes(text);

    private static string? Text(byte[]? bytes) => bytes is null ? null : Encoding.UTF8.GetString(bytes);
}
