using System.Net;
using System.Net.Http.Json;
using System.Text.Json;

namespace FunctionsPipeline.LocalHost.Tests;

[Collection(TinyAppFixture.Name)]
public sealed class AdminTests(TinyAppFixture tiny)
{
    [Fact]
    public async Task The_host_tells_that_it_runs()
    {
        var status = await tiny.Client.Http.GetFromJsonAsync<JsonElement>("admin/host/status");
        Assert.Equal("Running", status.GetProperty("state").GetString());
    }

    [Fact]
    public async Task A_queue_function_is_started_by_hand()
    {
        await AcceptedAsync("received", """{"Name":"by hand","Text":"hello"}""");
        Assert.StartsWith("hello", await tiny.NoteAsync("messages/by hand"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_timer_is_started_by_hand()
    {
        await AcceptedAsync("NewYear", null);
        Assert.Equal("past due: False", await tiny.NoteAsync("new-year"));
    }

    [Fact]
    public async Task A_blob_function_is_started_by_hand_with_a_blob()
    {
        var container = tiny.Azurite.Blobs.GetBlobContainerClient("tiny-uploads");
        await container.CreateIfNotExistsAsync();
        await container.UploadBlobAsync("by-hand/cap.txt", BinaryData.FromString("red"));
        await tiny.NoteAsync("blobs/by-hand/cap.txt");
        await tiny.Azurite.Blobs.GetBlobContainerClient("tiny-notes").DeleteBlobAsync("blobs/by-hand/cap.txt");

        await AcceptedAsync("Uploaded", "tiny-uploads/by-hand/cap.txt");
        Assert.Equal("tiny-uploads/by-hand/cap.txt: red", await tiny.NoteAsync("blobs/by-hand/cap.txt"));
    }

    [Fact]
    public async Task An_activity_is_started_by_hand()
    {
        // The input is JSON, as orchestrators send it.
        await AcceptedAsync("Hopeless", "\"lost by hand\"");
        await TinyAppClient.UntilAsync(
            () => Task.FromResult(tiny.App.Log.Any(line => line.StartsWith("Error Function.Hopeless", StringComparison.Ordinal)
                && line.Contains("lost by hand", StringComparison.Ordinal))),
            "a failure of the activity");
    }

    [Theory]
    [InlineData("Nobody", HttpStatusCode.NotFound)]
    [InlineData("Greet", HttpStatusCode.BadRequest)]
    [InlineData("Hello", HttpStatusCode.BadRequest)]
    [InlineData("Counter", HttpStatusCode.BadRequest)]
    [InlineData("Smelled", HttpStatusCode.BadRequest)]
    public async Task What_cannot_be_started_by_hand_is_refused(string function, HttpStatusCode expected)
    {
        using var answer = await tiny.Client.StartByHandAsync(function, "x");
        Assert.Equal(expected, answer.StatusCode);
    }

    [Fact]
    public async Task A_body_that_is_no_JSON_is_refused()
    {
        using var answer = await tiny.Client.Http.PostAsync("admin/functions/NewYear", new StringContent("now"));
        Assert.Equal(HttpStatusCode.BadRequest, answer.StatusCode);
    }

    private async Task AcceptedAsync(string function, string? input)
    {
        using var answer = await tiny.Client.StartByHandAsync(function, input);
        Assert.Equal(HttpStatusCode.Accepted, answer.StatusCode);
    }
}
