using Azure.Storage.Blobs;
using FunctionsPipeline.LocalHost.Uploads;
using FunctionsPipeline.Tests;
using Spectre.Console;

namespace FunctionsPipeline.LocalHost.Tests.Uploads;

public sealed class FolderUploadTests(AzuriteFixture azurite) : IClassFixture<AzuriteFixture>, IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("folder-upload-");
    private readonly StringWriter _output = new();

    public void Dispose()
    {
        _folder.Delete(recursive: true);
        _output.Dispose();
    }

    [Fact]
    public async Task A_second_upload_sends_only_what_is_new_or_changed()
    {
        Write(("catalog.csv", "image"), ("images/a.jpg", "aaa"), ("images/b.jpg", "bbb"), (".git/config", "hidden"));
        var container = Container();
        Assert.Equal(0, await UploadAsync(container));
        var before = (await container.GetBlobClient("images/a.jpg").GetPropertiesAsync()).Value.ETag;

        Write(("images/b.jpg", "ccc"));
        File.Delete(Path.Combine(_folder.FullName, "catalog.csv"));
        var others = await UploadAsync(container);

        // The table was deleted here only, and is still part of the dataset.
        Assert.Equal(1, others);
        Assert.Equal(before, (await container.GetBlobClient("images/a.jpg").GetPropertiesAsync()).Value.ETag);
        Assert.Equal("ccc", (await container.GetBlobClient("images/b.jpg").DownloadContentAsync()).Value.Content.ToString());
        Assert.Equal(["catalog.csv", "images/a.jpg", "images/b.jpg"],
            container.GetBlobs(new(), CancellationToken.None).Select(blob => blob.Name));
        Assert.Contains("2 of 2 files", _output.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_folder_is_uploaded_to_where_the_request_reads_it()
    {
        Write(("catalog.csv", "image"), ("request.json", """{ "source": { "container": "products", "prefix": "/spring" } }"""));
        var file = new FileInfo(Path.Combine(_folder.FullName, "request.json"));
        var source = IngestCommand.Request(_folder, container: null, columns: null, file).Source!;
        Assert.Equal(("products", "spring/"), (source.Container, source.Folder));
        Assert.Equal("other", IngestCommand.Request(_folder, "other", columns: null, file).Source!.Container);

        var container = Container();
        await container.CreateAsync();
        await container.UploadBlobAsync("autumn/catalog.csv", BinaryData.FromString("of another dataset"));
        Assert.Equal(0, await new FolderUpload(_folder, container, Screen(), source.Folder).RunAsync(CancellationToken.None));
        Assert.Equal(["autumn/catalog.csv", "spring/catalog.csv", "spring/request.json"],
            container.GetBlobs(new(), CancellationToken.None).Select(blob => blob.Name));
    }

    [Fact]
    public async Task A_folder_that_is_empty_or_missing_is_told()
    {
        var empty = await Assert.ThrowsAsync<InvalidOperationException>(() => UploadAsync(Container()));
        Assert.Contains("no files", empty.Message, StringComparison.Ordinal);
        var missing = new FolderUpload(new DirectoryInfo(Path.Combine(_folder.FullName, "x")), Container(), Screen());
        await Assert.ThrowsAsync<InvalidOperationException>(() => missing.RunAsync(CancellationToken.None));
    }

    [Theory]
    [InlineData("My Catalog (2026)", "my-catalog-2026")]
    [InlineData("a", "a-catalog")]
    [InlineData("__", "catalog")]
    public void The_container_is_named_after_the_folder(string folder, string container) =>
        Assert.Equal(container, IngestCommand.ContainerOf(new DirectoryInfo(folder)));

    private BlobContainerClient Container() => azurite.Blobs.GetBlobContainerClient($"upload-{Guid.NewGuid():N}"[..20]);

    private Task<int> UploadAsync(BlobContainerClient container) =>
        new FolderUpload(_folder, container, Screen()).RunAsync(CancellationToken.None);

    private ProgressScreen Screen() => new(AnsiConsole.Create(new AnsiConsoleSettings { Out = new AnsiConsoleOutput(_output) }));

    private void Write(params (string Name, string Content)[] files)
    {
        foreach (var (name, content) in files)
        {
            var path = Path.Combine(_folder.FullName, name);
            Directory.CreateDirectory(Path.GetDirectoryName(path)!);
            File.WriteAllText(path, content);
        }
    }
}
