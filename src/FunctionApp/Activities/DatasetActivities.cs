using FunctionsPipeline.Contracts;
using FunctionsPipeline.Datasets;
using FunctionsPipeline.Datasets.Planning;
using FunctionsPipeline.Datasets.Storage;
using Microsoft.Azure.Functions.Worker;

namespace FunctionsPipeline.FunctionApp.Activities;

/// <summary>A table, file, unit, part of the catalog, partition of its keys, or shard of a dataset, by its number.</summary>
public sealed record DatasetItem(DatasetBlobs Dataset, int Number);

/// <param name="Seconds">Duration of the ingestion.</param>
public sealed record ReportInput(DatasetBlobs Dataset, double Seconds);

/// <summary>Activities of ingestion. Each is idempotent, and takes and returns references and counts, never rows.</summary>
public sealed class DatasetActivities(DatasetIngestion ingestion)
{
    /// <summary>Counts the tables that have to be converted to Parquet; none of a dataset that the Hub has converted.</summary>
    [Function(nameof(FindTables))]
    public Task<TablesToConvert> FindTables([ActivityTrigger] DatasetRequest request, CancellationToken cancellationToken) =>
        HubFailures.MarkPermanentAsync(() => ingestion.FindTablesAsync(request, cancellationToken));

    /// <summary>Converts a table to Parquet in blob storage.</summary>
    [Function(nameof(ConvertTable))]
    public Task ConvertTable([ActivityTrigger] DatasetItem table, CancellationToken cancellationToken) =>
        HubFailures.MarkPermanentAsync(() => ingestion.ConvertTableAsync(table.Dataset, table.Number, cancellationToken));

    [Function(nameof(ResolveDataset))]
    public Task<ResolvedDataset> ResolveDataset([ActivityTrigger] DatasetRequest request, CancellationToken cancellationToken) =>
        HubFailures.MarkPermanentAsync(() => ingestion.ResolveAsync(request, cancellationToken));

    /// <summary>Fetches one of the dataset's files into blob storage and returns its units.</summary>
    [Function(nameof(FetchFile))]
    public Task<FileUnits> FetchFile([ActivityTrigger] DatasetItem file, CancellationToken cancellationToken) =>
        HubFailures.MarkPermanentAsync(() => ingestion.FetchFileAsync(file.Dataset, file.Number, cancellationToken));

    /// <summary>Reads a unit's rows, stores their images, and writes the row statuses to the unit's manifest.</summary>
    [Function(nameof(IngestUnit))]
    public Task<RowCounts> IngestUnit([ActivityTrigger] DatasetItem unit, CancellationToken cancellationToken) =>
        HubFailures.MarkPermanentAsync(() => ingestion.IngestUnitAsync(unit.Dataset, unit.Number, cancellationToken));

    [Function(nameof(ReadProgress))]
    public Task<IngestProgress> ReadProgress([ActivityTrigger] DatasetBlobs dataset, CancellationToken cancellationToken) =>
        ingestion.ReadProgressAsync(dataset, cancellationToken);

    /// <summary>Writes the keys by which the rows of a part of the catalog are compared with all others.</summary>
    [Function(nameof(WriteKeys))]
    public Task WriteKeys([ActivityTrigger] DatasetItem part, CancellationToken cancellationToken) =>
        ingestion.WriteKeysAsync(part.Dataset, part.Number, cancellationToken);

    /// <summary>Finds duplicate rows in a partition of the keys.</summary>
    [Function(nameof(FindDuplicates))]
    public Task FindDuplicates([ActivityTrigger] DatasetItem partition, CancellationToken cancellationToken) =>
        ingestion.FindDuplicatesAsync(partition.Dataset, partition.Number, cancellationToken);

    /// <summary>Writes a part of the catalog.</summary>
    [Function(nameof(WriteCatalog))]
    public Task WriteCatalog([ActivityTrigger] DatasetItem part, CancellationToken cancellationToken) =>
        ingestion.WriteCatalogAsync(part.Dataset, part.Number, cancellationToken);

    /// <summary>Merges the summaries of the catalog's parts.</summary>
    [Function(nameof(MergeCatalog))]
    public Task<RowCounts> MergeCatalog([ActivityTrigger] DatasetBlobs dataset, CancellationToken cancellationToken) =>
        ingestion.MergeCatalogAsync(dataset, cancellationToken);

    /// <summary>Writes a training shard from the stored images of its units.</summary>
    [Function(nameof(PreprocessShard))]
    public Task PreprocessShard([ActivityTrigger] DatasetItem shard, CancellationToken cancellationToken) =>
        ingestion.PreprocessAsync(shard.Dataset, shard.Number, cancellationToken);

    /// <summary>Ingests the corrections of uploaded images into shards that are trained on together with the dataset's.</summary>
    [Function(nameof(IngestCorrections))]
    public Task<IngestReport> IngestCorrections([ActivityTrigger] DatasetBlobs dataset, CancellationToken cancellationToken) =>
        ingestion.IngestCorrectionsAsync(dataset, cancellationToken);

    [Function(nameof(WriteReport))]
    public Task<IngestReport> WriteReport([ActivityTrigger] ReportInput input, CancellationToken cancellationToken) =>
        ingestion.WriteReportAsync(input.Dataset, input.Seconds, cancellationToken);
}
