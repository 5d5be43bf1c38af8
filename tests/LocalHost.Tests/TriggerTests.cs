using System.Text.Json;

namespace FunctionsPipeline.LocalHost.Tests;

[Collection(TinyAppFixture.Name)]
public sealed class TriggerTests(TinyAppFixture tiny)
{
    [Fact]
    public async Task An_upload_starts_the_function_that_watches_its_container()
    {
        await UploadAsync("summer/shirt 1.txt", "blue");
        Assert.Equal("tiny-uploads/summer/shirt 1.txt: blue", await tiny.NoteAsync("blobs/summer/shirt 1.txt"));
    }

    [Fact]
    public async Task No_upload_of_a_burst_is_missed()
    {
        var names = Enumerable.Range(0, 40).Select(i => $"burst/{i}.txt").ToArray();
        // More than two scans take place in between, in the middle of a second of uploads.
        foreach (var name in names)
        {
            await UploadAsync(name, "");
            await Task.Delay(150);
        }
        foreach (var name in names) await tiny.NoteAsync($"blobs/{name}");
    }

    [Fact]
    public async Task A_blob_that_fails_goes_to_the_poison_queue_and_holds_up_nobody()
    {
        await UploadAsync("poison/a.txt", "broken");
        await UploadAsync("poison/b.txt", "fine");
        Assert.EndsWith("fine", await tiny.NoteAsync("blobs/poison/b.txt"), StringComparison.Ordinal);
        Assert.Contains("poison/a.txt", await MessageAsync("webjobs-blobtrigger-poison"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_message_starts_the_function_that_watches_its_queue()
    {
        await SendAsync(JsonSerializer.Serialize(new { Name = "order", Text = "two shirts" }));
        Assert.Equal("two shirts (1)", await tiny.NoteAsync("messages/order"));
    }

    [Fact]
    public async Task A_message_that_fails_goes_to_the_poison_queue()
    {
        await SendAsync("no JSON");
        Assert.Equal("no JSON", await MessageAsync("tiny-messages-poison"));
    }

    [Fact]
    public async Task A_timer_ticks()
    {
        await tiny.NoteAsync("tick");
        var note = tiny.Azurite.Blobs.GetBlobContainerClient("tiny-notes").GetBlobClient("tick");
        var first = (await note.GetPropertiesAsync()).Value.LastModified;
        await TinyAppClient.UntilAsync(async () => (await note.GetPropertiesAsync()).Value.LastModified > first, "another tick");
    }

    [Fact]
    public void What_cannot_run_is_told_at_the_start()
    {
        Assert.Contains(tiny.App.Log, line => line.StartsWith("Warning", StringComparison.Ordinal)
            && line.EndsWith("Function Smelled cannot run here: a smokeTrigger is not known here", StringComparison.Ordinal));
        Assert.Contains(tiny.App.Log, line => line.EndsWith(
            "Function Answered cannot run here: its binding $return (queue) is not known here", StringComparison.Ordinal));
    }

    private async Task UploadAsync(string name, string text)
    {
        var container = tiny.Azurite.Blobs.GetBlobContainerClient("tiny-uploads");
        await container.CreateIfNotExistsAsync();
        await container.UploadBlobAsync(name, BinaryData.FromString(text));
    }

    private async Task SendAsync(string message) => await (await tiny.QueueAsync("tiny-messages")).SendMessageAsync(message);

    private async Task<string> MessageAsync(string queueName)
    {
        var queue = await tiny.QueueAsync(queueName);
        string? text = null;
        await TinyAppClient.UntilAsync(
            async () => (text = (await queue.PeekMessageAsync()).Value?.MessageText) is not null, $"a message in {queueName}");
        return text!;
    }
}
