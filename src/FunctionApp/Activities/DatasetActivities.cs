using FunctionsPipeline.Contracts;
using FunctionsPipeline.Datasets;
using Microsoft.Azure.Functions.Worker;

namespace FunctionsPipeline.FunctionApp.Activities;

/// <param name="Dataset">Without its units.</param>
public sealed record UnitInput(ResolvedDataset Dataset, IngestUnit Unit);

/// <param name="Seconds">Time the ingestion took.</param>
public sealed record CatalogInput(ResolvedDataset Dataset, IReadOnlyList<ShardInfo> Shards, double Seconds);

/// <summary>The steps of ingestion. Each may run twice and changes nothing the second time.</summary>
public sealed class DatasetActivities(DatasetIngestion ingestion)
{
    [Function(nameof(ResolveDataset))]
    public Task<ResolvedDataset> ResolveDataset([ActivityTrigger] DatasetRequest request, CancellationToken cancellation) =>
        HubFailures.MarkPermanentAsync(() => ingestion.ResolveAsync(request, cancellation));

    /// <summary>Reads a unit's rows, stores their images, writes the fate of every row.</summary>
    [Function(nameof(IngestShard))]
    public Task<UnitResult> IngestShard([ActivityTrigger] UnitInput input, CancellationToken cancellation) =>
        HubFailures.MarkPermanentAsync(() => ingestion.IngestUnitAsync(input.Dataset, input.Unit, null, cancellation));

    /// <summary>Turns a unit's stored images into training shards.</summary>
    [Function(nameof(PreprocessShard))]
    public Task<IReadOnlyList<ShardInfo>> PreprocessShard([ActivityTrigger] UnitInput input, CancellationToken cancellation) =>
        ingestion.PreprocessUnitAsync(input.Dataset, input.Unit, cancellation);

    [Function(nameof(WriteCatalog))]
    public Task<IngestReport> WriteCatalog([ActivityTrigger] CatalogInput input, CancellationToken cancellation) =>
        ingestion.WriteCatalogAsync(input.Dataset, input.Shards, input.Seconds, cancellation);
}
