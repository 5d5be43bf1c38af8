namespace FunctionsPipeline.Tests.LocalHost;

public sealed class BlobTests(AzuriteFixture azurite) : IClassFixture<AzuriteFixture>, IAsyncLifetime
{
    private TestHost _test = null!;

    public async Task InitializeAsync()
    {
        await azurite.Blobs.GetBlobContainerClient("uploads").DeleteIfExistsAsync();
        _test = await TestHost.StartAsync(o => o with
        {
            StorageConnection = azurite.ConnectionString,
            BlobPollInterval = TimeSpan.FromMilliseconds(50),
            BlobRetryDelay = TimeSpan.FromMilliseconds(10),
        });
        await azurite.Blobs.CreateBlobContainerAsync("uploads");
    }

    public async Task DisposeAsync() => await _test.DisposeAsync();

    [Fact]
    public async Task Every_version_of_a_matching_blob_is_handled_once_also_after_a_restart()
    {
        await UploadAsync("elsewhere/a.txt", "not meant");
        await UploadAsync("in/summer/blue hat.2.txt", "one");
        await _test.Recorder.WaitForAsync("summer/blue hat.2|txt|one");
        await UploadAsync("in/summer/blue hat.2.txt", "two");
        await _test.Recorder.WaitForAsync("summer/blue hat.2|txt|two");
        await Task.Delay(200);
        await _test.StopHostAsync();
        await _test.StartHostAsync();
        await UploadAsync("in/b.txt", "after");
        await _test.Recorder.WaitForAsync("b|txt|after");
        await Task.Delay(200);
        Assert.Equal(3, _test.Recorder.Lines.Count(l => l.Contains('|', StringComparison.Ordinal)));
    }

    [Fact]
    public async Task A_blob_whose_function_fails_is_tried_again()
    {
        _test.Recorder.Failures = 2;
        await UploadAsync("in/a.txt", "fails");
        await _test.Recorder.WaitForAsync("a try 2");
        await Task.Delay(300);
        Assert.Equal(3, _test.Recorder.Count("a|txt|fails"));
    }

    [Fact]
    public async Task A_blob_that_fails_five_times_is_put_aside_and_its_next_version_is_not()
    {
        _test.Recorder.Failures = 100;
        await UploadAsync("in/a.txt", "fails");
        await _test.Recorder.WaitForAsync("a try 4");
        await Task.Delay(300);
        Assert.Equal(5, _test.Recorder.Count("a|txt|fails"));
        await UploadAsync("in/a.txt", "better");
        await _test.Recorder.WaitForAsync("a|txt|better");
    }

    private Task UploadAsync(string name, string text) =>
        azurite.Blobs.GetBlobContainerClient("uploads").GetBlobClient(name).UploadAsync(BinaryData.FromString(text), overwrite: true);
}
