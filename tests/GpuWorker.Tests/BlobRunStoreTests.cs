using System.Text;
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

    private async Task<IRunStore> StoreAsync(bool inBlobs)
    {
        if (!inBlobs) return new LocalRunStore(Path.Combine(_folder, "storage"));
        await azurite.Blobs.GetBlobContainerClient(Container).CreateIfNotExistsAsync();
        return new BlobRunStore(azurite.Blobs);
    }

    private static byte[] Bytes(string text) => Encoding.UTF8.GetBytes(text);

    private static string? Text(byte[]? bytes) => bytes is null ? null : Encoding.UTF8.GetString(bytes);
}
