using FunctionsPipeline.LocalHost.Processes;

namespace FunctionsPipeline.Benchmarks;

/// <summary>Everything that ingestions are measured with: a hub with pictures and datasets, and blob services.</summary>
internal sealed class IngestionSite : IAsyncDisposable
{
    private const int Drawings = 32;

    private readonly string _folder;
    private readonly string _logs;
    private readonly DistinctPictures _pictures;
    private readonly Uri _address;
    private readonly ChildProcess _hub;

    private IngestionSite(string folder, string logs, DistinctPictures pictures, Uri address, ChildProcess hub) =>
        (_folder, _logs, _pictures, _address, _hub) = (folder, logs, pictures, address, hub);

    /// <summary>Bytes of a picture, in the mean.</summary>
    public double MeanPictureBytes => _pictures.MeanBytes;

    /// <summary>Draws pictures and starts a hub.</summary>
    /// <param name="folder">For everything that the hub serves.</param>
    public static async Task<IngestionSite> StartAsync(string folder, int width, int height)
    {
        var logs = Path.Combine(Repository.Root, ".pipeline", "logs", "benchmarks");
        var pictures = DistinctPictures.Draw(Path.Combine(folder, BenchmarkHub.Pictures), width, height, Drawings);
        var port = FreePort.Next();
        return new IngestionSite(folder, logs, pictures, new Uri($"http://127.0.0.1:{port}"), await BenchmarkHub.StartAsync(folder, logs, port));
    }

    /// <summary>Writes a dataset; all must be there before the first is ingested, when the hub looks for them.</summary>
    public async Task<BenchmarkDataset> AddAsync(string name, ImageKind kind, int rows)
    {
        var dataset = new BenchmarkDataset(name, kind, rows);
        await dataset.WriteAsync(_folder, _pictures, _address);
        return dataset;
    }

    /// <summary>Ingests a dataset in a process of its own, into an Azurite of its own.</summary>
    /// <inheritdoc cref="IngestionTask"/>
    public async Task<IngestionFigures> IngestAsync(BenchmarkDataset warmUp, BenchmarkDataset dataset, int decoded)
    {
        await using var blobs = await BlobService.StartAsync(_logs);
        return await MeasuredIngestion.StartAsync(new IngestionTask(_address, blobs.ConnectionString, _folder, warmUp, dataset, decoded));
    }

    /// <summary>Ingests a dataset in a process of its own, into <see cref="MemoryBlobs"/>.</summary>
    /// <param name="warmUp">As in <see cref="IngestionTask"/>; one of its own, or it is there already the second time.</param>
    public Task<IngestionFigures> IngestLongAsync(BenchmarkDataset warmUp, BenchmarkDataset dataset) =>
        MeasuredIngestion.StartAsync(new IngestionTask(_address, MemoryBlobs.ConnectionString(_address), _folder, warmUp, dataset, Decoded: 0));

    /// <inheritdoc/>
    public ValueTask DisposeAsync() => _hub.DisposeAsync();
}
