using System.Globalization;
using System.Net;
using System.Security.Cryptography;
using Azure.Storage.Blobs;
using Azure.Storage.Blobs.Models;
using FunctionsPipeline.Contracts;
using FunctionsPipeline.Datasets.Storage;
using FunctionsPipeline.LocalHost;
using FunctionsPipeline.LocalHost.Processes;
using FunctionsPipeline.Tests;
using Microsoft.Extensions.Logging;

namespace FunctionsPipeline.Dashboard.Tests;

/// <summary>A host that others can reach, so that it asks for a key, over storage with a large past.</summary>
public sealed class LargeFixture : IAsyncLifetime
{
    /// <summary>Number of uploads whose reading has failed.</summary>
    public const int FailedUploads = Uploads / FailedEvery;

    // Their images are gone, as a lifecycle rule of the storage account may have it.
    private const int Uploads = 5000;
    private const int FailedEvery = 50;
    private const int Rows = 100_000;

    private const int UnitRows = 5000;
    private const int BlobsAtOnce = 32;

    /// <summary>The dataset's view.</summary>
    public static readonly DatasetBlobs Dataset = new("large/catalog", new string('a', 40), "0123456789abcdef");

    private readonly AzuriteFixture _azurite = new();
    private FunctionsHost? _host;

    /// <summary>Base URL of the host.</summary>
    public Uri Url { get; private set; } = null!;

    public string Key => _host!.Key!;

    public BlobServiceClient Blobs => _azurite.Blobs;

    public async Task InitializeAsync()
    {
        if (Chromium.Executable is null) return;
        await _azurite.InitializeAsync();
        _host = await FunctionsHost.StartAsync(new FunctionsHostOptions
        {
            AppFolder = Applications.FunctionApp,
            Listen = IPAddress.Any,
            Port = 0,
            Settings = new Dictionary<string, string?>
            {
                ["AzureWebJobsStorage"] = _azurite.ConnectionString,
                ["PipelineStorage"] = _azurite.ConnectionString,
                ["Worker__Url"] = "http://127.0.0.1:9",
            },
            ConfigureLogging = logs => logs.ClearProviders(),
        });
        // The host's own name may have no address here.
        Url = new UriBuilder(_host.Url) { Host = "127.0.0.1" }.Uri;
        await Task.WhenAll(WriteDocumentsAsync(), WriteDatasetAsync());
    }

    public async Task DisposeAsync()
    {
        if (_host is not null) await _host.DisposeAsync();
        await _azurite.DisposeAsync();
    }

    private Task WriteDocumentsAsync()
    {
        var container = Blobs.GetBlobContainerClient(Containers.Predictions);
        var start = new DateTimeOffset(2026, 1, 1, 0, 0, 0, TimeSpan.Zero);
        return Parallel.ForAsync(0, Uploads, new ParallelOptions { MaxDegreeOfParallelism = BlobsAtOnce }, async (i, stop) =>
        {
            var image = string.Create(CultureInfo.InvariantCulture, $"shop/{i:D5}.jpg");
            var prediction = new Prediction
            {
                Status = i % FailedEvery == 0 ? PredictionStatus.Failed : PredictionStatus.Predicted,
                Reason = i % FailedEvery == 0 ? PredictionFailure.OutOfPatience : null,
                Detail = i % FailedEvery == 0 ? "No answer in time." : null,
                Answer = "Product: Red Bag, Category: Bags, Full Price: 100",
                Title = "Red Bag",
                Category = "Bags",
                Price = 100,
                Confidence = new Confidence(i % 100 / 100.0, 0.9, 0.8, 0.7),
                Model = "large",
                At = start.AddMinutes(i),
            };
            var document = new PredictionDocument(prediction, image, $"\"0x{i:X}\"");
            // As the app writes it, so that a listing tells what a document says.
            var metadata = new Dictionary<string, string>
            {
                ["status"] = $"{document.Status}",
                ["imageetag"] = document.ETag,
                ["confidence"] = document.Confidence!.Answer.ToString(CultureInfo.InvariantCulture),
                ["model"] = document.Model!,
            };
            await container.GetBlobClient(BlobNames.Prediction(image)).UploadAsync(
                BinaryData.FromObjectAsJson(document, PipelineJson.Options), new BlobUploadOptions { Metadata = metadata }, stop);
        });
    }

    private async Task WriteDatasetAsync()
    {
        var container = Blobs.GetBlobContainerClient(Containers.Datasets);
        var manifests = new ManifestStore(container);
        var counts = new RowCounts();
        foreach (var (unit, rows) in Enumerable.Range(0, Rows).Select(Row).Chunk(UnitRows).Index())
        {
            await manifests.WriteAsync(Dataset.Manifest("train", unit), rows, CancellationToken.None);
            counts = rows.Aggregate(counts, (sum, row) => sum + ManifestStore.Count(row));
        }
        var report = new IngestReport
        {
            Repo = Dataset.Repo,
            Commit = Dataset.Commit,
            View = Dataset.View,
            Columns = new ColumnMapping { Title = "title", Category = "category", Price = "price" },
            Counts = counts,
            Splits = new Dictionary<string, long> { [Splits.Train] = counts.Stored },
            Categories = new Dictionary<string, long> { ["Bags"] = counts.Stored },
            CategoryCount = 1,
            Prices = new Distribution(
                0, 50, 100, [new DistributionBin(0, 50, counts.Stored / 2), new DistributionBin(50, 101, counts.Stored / 2)]),
            Seconds = 1,
        };
        await container.GetBlobClient(Dataset.Report).UploadAsync(
            BinaryData.FromObjectAsJson(report, PipelineJson.Options), overwrite: true);
    }

    private static ManifestRow Row(int row) => new()
    {
        Row = row,
        SourceSplit = Splits.Train,
        Split = Splits.Train,
        State = row % 10 == 0 ? RowState.Rejected : RowState.Stored,
        Reason = row % 10 == 0 ? Rejection.NotFound : null,
        Detail = row % 10 == 0 ? "404 Not Found" : null,
        Sha256 = row % 10 == 0 ? null : Convert.ToHexStringLower(SHA256.HashData(BitConverter.GetBytes(row))),
        Bytes = 1000,
        Width = 100,
        Height = 100,
        ImageUrl = string.Create(CultureInfo.InvariantCulture, $"https://example.com/{row}.jpg"),
        Title = "Red Bag",
        Category = "Bags",
        Price = row % 100,
    };
}
