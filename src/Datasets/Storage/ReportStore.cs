using Azure.Storage.Blobs;
using Azure.Storage.Blobs.Models;
using FunctionsPipeline.Contracts;
using FunctionsPipeline.Datasets.Planning;

namespace FunctionsPipeline.Datasets.Storage;

/// <summary>Writes and reads the report of a dataset, whose presence means that the dataset is complete.</summary>
internal sealed class ReportStore(BlobContainerClient container)
{
    // The report is part of durable state: bounded in its numbers of values.
    private const int CategoriesShown = 200;
    private const int ValuesShown = 50;

    /// <summary>Reads a report; null when the dataset is not complete.</summary>
    public Task<IngestReport?> FindAsync(DatasetBlobs dataset, CancellationToken cancellationToken) =>
        container.GetBlobClient(dataset.Report).ReadJsonAsync<IngestReport>(cancellationToken);

    /// <summary>Writes the list of shards and then the report, and deletes what only the catalog's steps needed.</summary>
    /// <param name="seconds">Seconds that the ingestion took.</param>
    /// <returns>The stored report; of two executions that write it, the first one's.</returns>
    public async Task<IngestReport> WriteAsync(IngestPlan plan, double seconds, CancellationToken cancellationToken)
    {
        var dataset = plan.Blobs;
        var summary = await container.GetBlobClient(dataset.Summary).RequireJsonAsync<CatalogSummary>(cancellationToken);
        var shards = await new ShardWriter(dataset, container).ListAsync(cancellationToken);
        await container.GetBlobClient(dataset.ShardList).CreateJsonAsync(shards, PipelineJson.Options, cancellationToken);
        await container.GetBlobClient(dataset.Report).CreateJsonAsync(new IngestReport
        {
            Repo = dataset.Repo,
            Commit = dataset.Commit,
            View = dataset.View,
            Columns = plan.Columns,
            Counts = summary.Counts,
            Splits = shards.GroupBy(shard => shard.Split).OrderBy(split => split.Key, StringComparer.Ordinal)
                .ToDictionary(split => split.Key, split => split.Sum(shard => (long)shard.Samples)),
            MergedRows = plan.Request.Images == ImageUse.Prompt ? summary.Counts.Stored - shards.Sum(shard => (long)shard.Samples) : 0,
            Categories = summary.Categories.Top(CategoriesShown),
            CategoryCount = summary.Categories.Counts.Count,
            CatalogParts = plan.CatalogParts > 1 ? plan.CatalogParts : null,
            Prices = summary.Prices,
            Fields = summary.Fields.Count == 0 ? null
                : plan.Columns.Further.ToDictionary(field => field.Name, field => summary.Fields[field.Name].Summarize(field, ValuesShown)),
            LongerSides = summary.LongerSides,
            FileSizes = summary.FileSizes,
            Warnings = summary.Warnings,
            Retry = plan.Retry is { } retry
                && await new ManifestStore(container).RetriedAsync(dataset, cancellationToken) is var (rows, healed)
                ? new RetriedRows(retry.View, retry.Reasons, rows, healed)
                : null,
            Seconds = seconds,
        }, PipelineJson.Options, cancellationToken);
        await foreach (var blob in container.GetBlobsAsync(new GetBlobsOptions { Prefix = dataset.Merging }, cancellationToken))
            await container.GetBlobClient(blob.Name).DeleteIfExistsAsync(cancellationToken: cancellationToken);
        return await container.GetBlobClient(dataset.Report).RequireJsonAsync<IngestReport>(cancellationToken);
    }
}
