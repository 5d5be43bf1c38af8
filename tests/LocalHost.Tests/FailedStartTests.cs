using FunctionsPipeline.LocalHost.Processes;
using FunctionsPipeline.Tests;

namespace FunctionsPipeline.LocalHost.Tests;

public sealed class FailedStartTests(AzuriteFixture azurite) : IClassFixture<AzuriteFixture>
{
    [Fact]
    public async Task A_folder_without_an_app_is_refused()
    {
        var folder = Directory.CreateTempSubdirectory("no-app-");
        try
        {
            await File.WriteAllTextAsync(Path.Combine(folder.FullName, "host.json"), "{}");
            var message = await StartAsync(azurite.ConnectionString, folder.FullName);
            Assert.Contains("worker.config.json is missing", message, StringComparison.Ordinal);

            await File.WriteAllTextAsync(Path.Combine(folder.FullName, "host.json"), "{");
            message = await StartAsync(azurite.ConnectionString, folder.FullName);
            Assert.Contains("host.json cannot be read", message, StringComparison.Ordinal);
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    [Fact]
    public async Task An_app_that_ends_at_once_is_told_with_the_end_of_its_output()
    {
        var message = await StartAsync(azurite.ConnectionString, null, KeyValuePair.Create("TINY_APP_ENDS_WITH", (string?)"7"));
        Assert.Contains("exit code 7", message, StringComparison.Ordinal);
        Assert.Contains("the tiny app was told to end at once", message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_storage_account_that_is_not_reachable_is_named()
    {
        var port = FreePort.Next();
        var blobs = $"http://127.0.0.1:{port}/devstoreaccount1";
        var message = await StartAsync($"DefaultEndpointsProtocol=http;AccountName=devstoreaccount1;AccountKey=a2V5;BlobEndpoint={blobs};");
        Assert.Contains("AzureWebJobsStorage", message, StringComparison.Ordinal);
        Assert.Contains(blobs, message, StringComparison.Ordinal);
        Assert.Contains("refused", message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_connection_string_that_is_none_is_told() =>
        Assert.Contains("AzureWebJobsStorage is no connection string", await StartAsync("azurite"), StringComparison.Ordinal);

    [Fact]
    public async Task A_missing_connection_string_is_told() =>
        Assert.Contains("AzureWebJobsStorage", await StartAsync(""), StringComparison.Ordinal);

    private static async Task<string> StartAsync(
        string storage, string? appFolder = null, params KeyValuePair<string, string?>[] settings)
    {
        var start = () => TinyAppHost.StartAsync(storage, appFolder: appFolder, settings: settings);
        return (await Assert.ThrowsAsync<InvalidOperationException>(start)).Message;
    }
}
