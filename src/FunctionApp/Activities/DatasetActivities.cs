using FunctionsPipeline.Contracts;
using FunctionsPipeline.Datasets;
using Microsoft.Azure.Functions.Worker;

namespace FunctionsPipeline.FunctionApp.Activities;

/// <summary>A numbered part of a dataset: a file, a unit or a shard.</summary>
public sealed record DatasetPart(DatasetBlobs Dataset, int Number);

/// <param name="Seconds">Time the ingestion took.</param>
public sealed record ReportInput(DatasetBlobs Dataset, CatalogSummary Summary, double Seconds);

/// <summary>The steps of ingestion. Each may run twice and changes nothing the second time; each is given references and never rows.</summary>
public sealed class DatasetActivities(DatasetIngestion ingestion)
{
    [Function(nameof(ResolveDataset))]
    public Task<ResolvedDataset> ResolveDataset([ActivityTrigger] DatasetRequest request, CancellationToken cancellation) =>
        HubFailures.MarkPermanentAsync(() => ingestion.ResolveAsync(request, cancellation));

    /// <summary>Brings one of the dataset's files to blob storage; gives its bytes.</summary>
    [Function(nameof(FetchFile))]
    public Task<long> FetchFile([ActivityTrigger] DatasetPart file, CancellationToken cancellation) =>
        HubFailures.MarkPermanentAsync(() => ingestion.FetchFileAsync(file.Dataset, file.Number, cancellation));

    /// <summary>Reads a unit's rows, stores their images, writes what was found in every row.</summary>
    [Function(nameof(IngestShard))]
    public Task<RowCounts> IngestShard([ActivityTrigger] DatasetPart unit, CancellationToken cancellation) =>
        HubFailures.MarkPermanentAsync(() => ingestion.IngestUnitAsync(unit.Dataset, unit.Number, cancellation));

    [Function(nameof(ReadProgress))]
    public Task<IngestProgress> ReadProgress([ActivityTrigger] DatasetBlobs dataset, CancellationToken cancellation) =>
        ingestion.ReadProgressAsync(dataset, cancellation);

    [Function(nameof(WriteCatalog))]
    public Task<CatalogSummary> WriteCatalog([ActivityTrigger] DatasetBlobs dataset, CancellationToken cancellation) =>
        ingestion.WriteCatalogAsync(dataset, cancellation);

    /// <summary>Turns the stored images of a few units into training shards.</summary>
    [Function(nameof(PreprocessShard))]
    public Task PreprocessShard([ActivityTrigger] DatasetPart shard, CancellationToken cancellation) =>
        ingestion.PreprocessAsync(shard.Dataset, shard.Number, cancellation);

    [Function(nameof(WriteReport))]
    public Task<IngestReport> WriteReport([ActivityTrigger] ReportInput input, CancellationToken cancellation) =>
        ingestion.WriteReportAsync(input.Dataset, input.Summary, input.Seconds, cancellation);
}
