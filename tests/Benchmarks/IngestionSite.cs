using System.Net;
using FunctionsPipeline.Contracts;
using FunctionsPipeline.LocalHost.Processes;
using FunctionsPipeline.SampleData;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;
using Parquet;
using Parquet.Schema;

namespace FunctionsPipeline.Benchmarks;

/// <summary>Everything that ingestions are measured with: a hub with pictures and datasets, and blob services.</summary>
internal sealed class IngestionSite : IAsyncDisposable
{
    private const int Drawings = 32;

    private readonly string _folder;
    private readonly string _logs;
    private readonly DistinctImages _pictures;
    private readonly Uri _hubUrl;
    private readonly ChildProcess _hub;

    private IngestionSite(string folder, string logs, DistinctImages pictures, Uri hubUrl, ChildProcess hub)
    {
        _folder = folder;
        _logs = logs;
        _pictures = pictures;
        _hubUrl = hubUrl;
        _hub = hub;
    }

    /// <summary>Mean size of a picture in bytes.</summary>
    public double MeanPictureBytes => _pictures.MeanBytes;

    /// <summary>Draws pictures and starts a hub.</summary>
    /// <param name="folder">For everything that the hub serves.</param>
    public static async Task<IngestionSite> StartAsync(string folder, int width, int height)
    {
        var logs = Path.Combine(Checkout.Root, ".pipeline", "logs", "benchmarks");
        var pictures = DistinctImages.Draw(Path.Combine(folder, BenchmarkHub.Pictures), width, height, Drawings);
        var port = FreePort.Next();
        return new IngestionSite(folder, logs, pictures, new Uri($"http://127.0.0.1:{port}"),
            await BenchmarkHub.StartAsync(folder, logs, port));
    }

    /// <summary>Writes a dataset; all must be there before the first is ingested, when the hub looks for them.</summary>
    public async Task<BenchmarkDataset> AddAsync(string name, ImageKind kind, int rows)
    {
        var dataset = new BenchmarkDataset(name, kind, rows);
        await dataset.WriteAsync(_folder, _pictures, _hubUrl);
        return dataset;
    }

    /// <summary>Ingests a dataset in a process of its own, into an Azurite of its own.</summary>
    /// <inheritdoc cref="IngestionTask"/>
    public async Task<IngestionFigures> IngestAsync(BenchmarkDataset warmUp, BenchmarkDataset dataset, int decoded)
    {
        await using var blobs = await AzuriteProcess.StartAsync(_logs);
        return await MeasuredIngestion.StartAsync(new IngestionTask(_hubUrl, blobs.ConnectionString, _folder, warmUp, dataset, decoded));
    }

    /// <summary>Ingests a dataset in a process of its own, into <see cref="MemoryBlobs"/>.</summary>
    /// <param name="warmUp">As in <see cref="IngestionTask"/>; a dataset of its own, or its rows would be stored already the second
    /// time.</param>
    public Task<IngestionFigures> IngestLongAsync(BenchmarkDataset warmUp, BenchmarkDataset dataset) =>
        MeasuredIngestion.StartAsync(
            new IngestionTask(_hubUrl, MemoryBlobs.ConnectionString(_hubUrl), _folder, warmUp, dataset, Decoded: 0));

    /// <inheritdoc/>
    public ValueTask DisposeAsync() => _hub.DisposeAsync();
}

/// <summary>A dataset in one Parquet file, whose rows have a picture, a title, a category and a price.</summary>
/// <param name="Name">Name on the hub: <c>benchmarks/{name}</c>.</param>
internal sealed record BenchmarkDataset(string Name, ImageKind Kind, int Rows)
{
    // As the Hub writes them.
    private int GroupRows => Kind == ImageKind.Url ? 1000 : 100;

    /// <summary>Request for the ingestion of the dataset.</summary>
    public DatasetRequest Request => new()
    {
        Repo = $"benchmarks/{Name}",
        Columns = new ColumnMapping { Image = "image", Title = "title", Category = "category", Price = "price" },
    };

    /// <summary>Writes the file into a hub's folder.</summary>
    /// <param name="pictures">The picture of each row.</param>
    /// <param name="hub">URL that the hub will have.</param>
    public async Task WriteAsync(string folder, DistinctImages pictures, Uri hub)
    {
        var (bytes, name) = (new DataField<byte[]>("bytes"), new DataField<string>("path"));
        var url = new DataField<string>("image");
        var (title, category, price) =
            (new DataField<string>("title"), new DataField<string>("category"), new DataField<double>("price", true));
        Field image = Kind == ImageKind.Url ? url : new StructField("image", bytes, name);
        await using var file = File.Create(Path.Combine(folder, $"{Name}.parquet"));
        await using var writer = await ParquetWriter.CreateAsync(new ParquetSchema(image, title, category, price), file,
            new ParquetOptions { CompressionMethod = CompressionMethod.Snappy });
        foreach (var rows in Enumerable.Range(0, Rows).Chunk(GroupRows))
        {
            using var group = writer.CreateRowGroup();
            if (Kind == ImageKind.Url)
                await group.WriteAsync(url, rows.Select(row => $"{new Uri(hub, BenchmarkHub.Picture(row))}").ToArray());
            else
            {
                await group.WriteAsync(bytes, rows.Select(row => pictures[row]).ToArray());
                await group.WriteAsync(name, rows.Select(row => $"{row}.jpg").ToArray());
            }
            await group.WriteAsync(title, rows.Select(row => $"Picture {row} of a product with a name as long as titles are").ToArray());
            await group.WriteAsync(category, rows.Select(row => $"category {row % 40}").ToArray());
            await group.WriteAsync<double>(price, rows.Select(row => (double?)(row % 1000)).ToArray());
            group.CompleteValidate();
        }
    }
}

/// <summary>Ways in which a dataset holds its images.</summary>
internal enum ImageKind
{
    Url,
    Embedded,
}

/// <summary>Names of <see cref="ImageKind"/> in tables.</summary>
internal static class ImageKindNames
{
    public static string Describe(this ImageKind kind) => kind == ImageKind.Url ? "by URL" : "embedded";
}

/// <summary>
/// Generates any number of distinct JPEG files from a few drawings, by a JPEG comment with the file's number. The drawings lie in a
/// folder that several processes share.
/// </summary>
internal sealed class DistinctImages
{
    // A start of image and the marker of a comment with its length: these two bytes and a number of eight.
    private static readonly byte[] Start = [0xFF, 0xD8, 0xFF, 0xFE, 0, sizeof(ushort) + sizeof(long)];

    private readonly byte[][] _drawings;

    private DistinctImages(byte[][] drawings) => _drawings = drawings;

    /// <summary>Draws into a folder.</summary>
    public static DistinctImages Draw(string folder, int width, int height, int drawings)
    {
        Directory.CreateDirectory(folder);
        Parallel.For(0, drawings, seed => File.WriteAllBytes(Path.Combine(folder, $"{seed:D3}.jpg"), Photograph.Jpeg(width, height, seed)));
        return Open(folder);
    }

    /// <summary>Opens a folder that was drawn into.</summary>
    public static DistinctImages Open(string folder) =>
        new([.. Directory.GetFiles(folder, "*.jpg").Order(StringComparer.Ordinal).Select(File.ReadAllBytes)]);

    /// <summary>Mean size of a file in bytes.</summary>
    public double MeanBytes => _drawings.Average(drawing => drawing.Length) + Start.Length - 2 + sizeof(long);

    /// <summary>The file of a picture.</summary>
    public byte[] this[int number] => [.. Start, .. BitConverter.GetBytes((long)number), .. _drawings[number % _drawings.Length].AsSpan(2)];
}

/// <summary>
/// A hub with the datasets of a folder, the pictures behind their URLs, and <see cref="MemoryBlobs"/>, in a process of its own,
/// so that its processor time is not counted.
/// </summary>
internal static class BenchmarkHub
{
    /// <summary>Name of the folder with the drawings in a hub's folder, and first segment of their URLs.</summary>
    public const string Pictures = "pictures";

    /// <summary>Path of a picture.</summary>
    public static string Picture(int number) => $"/{Pictures}/{number}";

    /// <summary>Starts the process; the folder need not be complete before something is asked for.</summary>
    public static async Task<ChildProcess> StartAsync(string folder, string logFolder, int port)
    {
        var hub = ChildProcess.Start("hub", logFolder, [.. BenchmarkCommand.ThisProgram, BenchmarkCommand.Hub, folder, $"{port}"]);
        await hub.WaitUntilAsync(stop => FreePort.AnswersAsync(port, stop), TimeSpan.FromMinutes(1), CancellationToken.None);
        return hub;
    }

    /// <summary>Serves until the process is ended.</summary>
    public static async Task ServeAsync(string folder, int port)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.ConfigureKestrel(kestrel =>
        {
            kestrel.Listen(IPAddress.Loopback, port);
            kestrel.Limits.MaxRequestBodySize = null;
        });
        await using var application = builder.Build();
        var repositories = new Lazy<RepositoryLookup>(
            () => new RepositoryLookup(Directory.GetFiles(folder, "*.parquet").Select(Repository), token: null));
        var pictures = new Lazy<DistinctImages>(() => DistinctImages.Open(Path.Combine(folder, Pictures)));
        new HubApi(repositories).Map(application);
        new HubDownloads(repositories, cdnHost: null).Map(application);
        new MemoryBlobs().Map(application);
        application.MapGet($"/{Pictures}/{{number:int}}", (HttpContext context, int number) =>
        {
            var picture = pictures.Value[number];
            context.Response.ContentType = "image/jpeg";
            context.Response.ContentLength = picture.Length;
            return context.Response.Body.WriteAsync(picture).AsTask();
        });
        await application.RunAsync();
    }

    private static SampleRepository Repository(string file)
    {
        var name = Path.GetFileNameWithoutExtension(file);
        const string path = "default/train/0000.parquet";
        return new SampleRepository("datasets", $"benchmarks/{name}", new Dictionary<string, RepositorySnapshot>
        {
            [SampleRepository.Main] = new(SampleRepository.CommitOf(name), []),
            [SampleRepository.ConvertedParquet] = new(SampleRepository.CommitOf(name, "parquet"), [RepositoryFile.Existing(path, file)]),
        })
        {
            Parquet = new Dictionary<string, IReadOnlyDictionary<string, IReadOnlyList<string>>>
            {
                ["default"] = new Dictionary<string, IReadOnlyList<string>> { ["train"] = [path] },
            },
        };
    }
}
