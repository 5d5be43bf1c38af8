namespace FunctionsPipeline.FineTuning.Tests;

public sealed class ModelTransferTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("model-transfer-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public async Task Two_stores_with_a_version_of_the_same_name_do_not_share_a_cached_model()
    {
        var cache = Path.Combine(_folder, "cache");
        foreach (var content in new[] { "first", "other" })
        {
            var store = new LocalRunStore(Path.Combine(_folder, $"store-{content}"));
            var model = Directory.CreateDirectory(Path.Combine(_folder, $"model-{content}")).FullName;
            await File.WriteAllTextAsync(Path.Combine(model, "model.safetensors"), content);
            await ModelTransfer.UploadAsync(store, model, "demo", CancellationToken.None);

            var local = await ModelTransfer.DownloadAsync(store, "demo", cache, CancellationToken.None);

            Assert.Equal(content, await File.ReadAllTextAsync(Path.Combine(local, "model.safetensors")));
        }
    }

    [Fact]
    public async Task A_model_without_its_last_file_is_not_there()
    {
        var store = new LocalRunStore(_folder);
        await store.WriteAsync("models", "half/model.safetensors", "bytes"u8.ToArray(), CancellationToken.None);
        var error = await Assert.ThrowsAsync<TrainingException>(
            () => ModelTransfer.DownloadAsync(store, "half", Path.Combine(_folder, "cache"), CancellationToken.None));
        Assert.Contains("half/complete.json", error.Message);
    }
}
