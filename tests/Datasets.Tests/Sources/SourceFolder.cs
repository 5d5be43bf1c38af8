using Azure.Storage.Blobs;
using FunctionsPipeline.Contracts;
using FunctionsPipeline.SampleData;
using FunctionsPipeline.Tests;

namespace FunctionsPipeline.Datasets.Tests.Sources;

/// <summary>A container with files of the fixtures, and an ingestion that reads it.</summary>
internal sealed class SourceFolder : IAsyncDisposable
{
    private readonly IngestionHarness _harness;

    private SourceFolder(IngestionHarness harness, BlobContainerClient container)
    {
        _harness = harness;
        Container = container;
    }

    public BlobContainerClient Container { get; }

    public DatasetIngestion Ingestion => _harness.Ingestion;

    public IngestionHarness Harness => _harness;

    public static string PathOf(string fixture) => Path.Combine(AppContext.BaseDirectory, "Sources", "Fixtures", fixture);

    public static async Task<SourceFolder> CreateAsync(AzuriteFixture azurite, IngestionOptions? options = null)
    {
        var harness = await IngestionHarness.OpenAsync(azurite, new HubServerOptions { Rows = 1 }, options);
        var container = azurite.Blobs.GetBlobContainerClient($"catalog-{Guid.NewGuid():N}"[..20]);
        await container.CreateAsync();
        return new SourceFolder(harness, container);
    }

    /// <summary>Uploads fixtures under other names.</summary>
    public async Task AddAsync(params (string Fixture, string Blob)[] files)
    {
        foreach (var (fixture, blob) in files) await Container.GetBlobClient(blob).UploadAsync(PathOf(fixture), overwrite: true);
    }

    /// <summary>Uploads the first images of the fixtures.</summary>
    public Task AddImagesAsync(int count, string folder = "") =>
        AddAsync([.. Enumerable.Range(0, count).Select(i => ($"images/{i}.png", $"{folder}images/{i}.png"))]);

    public Task AddTextAsync(string blob, string text) =>
        Container.GetBlobClient(blob).UploadAsync(BinaryData.FromString(text), overwrite: true);

    public DatasetRequest Request(string? prefix = null, ColumnMapping? columns = null) => new()
    {
        Source = new DatasetSource { Container = Container.Name, Prefix = prefix },
        Columns = columns,
        TestFraction = 0,
    };

    /// <summary>Ingests a request; returns its report and the rows by split and index.</summary>
    public async Task<(IngestReport Report, List<ManifestRow> Rows)> IngestAsync(DatasetRequest request)
    {
        var (dataset, report) = await _harness.IngestAsync(request);
        return (report, await _harness.RowsAsync(dataset));
    }

    public ValueTask DisposeAsync() => _harness.DisposeAsync();
}
