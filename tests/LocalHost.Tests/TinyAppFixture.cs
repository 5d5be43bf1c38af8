using Azure.Storage.Queues;

namespace FunctionsPipeline.Tests.LocalHost;

/// <summary>One host of the tiny app on a storage account of its own, for all tests that leave it as it is.</summary>
public sealed class TinyAppFixture : IAsyncLifetime
{
    /// <summary>Name of the collection of tests that share it.</summary>
    public const string Name = "the tiny app";

    private TinyAppHost? _app;

    public AzuriteFixture Azurite { get; } = new();

    public TinyAppHost App => _app!;

    public TinyAppClient Client => App.Client;

    public async Task InitializeAsync()
    {
        await Azurite.InitializeAsync();
        _app = await TinyAppHost.StartAsync(Azurite.ConnectionString);
    }

    public async Task DisposeAsync()
    {
        if (_app is not null) await _app.DisposeAsync();
        await Azurite.DisposeAsync();
    }

    /// <summary>Waits for what a function writes down.</summary>
    public async Task<string> NoteAsync(string name)
    {
        var note = Azurite.Blobs.GetBlobContainerClient("tiny-notes").GetBlobClient(name);
        await TinyAppClient.UntilAsync(async () => await note.ExistsAsync(), $"a note {name}");
        return (await note.DownloadContentAsync()).Value.Content.ToString();
    }

    /// <summary>A queue whose messages are coded as the host expects them.</summary>
    public async Task<QueueClient> QueueAsync(string name)
    {
        var options = new QueueClientOptions { MessageEncoding = QueueMessageEncoding.Base64 };
        var queue = new QueueClient(Azurite.ConnectionString, name, options);
        await queue.CreateIfNotExistsAsync();
        return queue;
    }

    [CollectionDefinition(Name)]
    public sealed class Collection : ICollectionFixture<TinyAppFixture>;
}
