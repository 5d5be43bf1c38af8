using System.Runtime.CompilerServices;
using Azure.Storage.Blobs;
using FunctionsPipeline.Contracts;
using FunctionsPipeline.Datasets.Planning;
using FunctionsPipeline.Datasets.Quality;

namespace FunctionsPipeline.Datasets.Storage;

/// <summary>
/// Writes the catalog of a dataset in parts: keys of each part, duplicates of each partition of the keys, the parts themselves, and their
/// merged summary. Memory holds the rows of a unit and the keys of a partition.
/// </summary>
internal sealed class DatasetCatalog(BlobContainerClient container, PlanStore plans, ManifestStore manifests)
{
    /// <inheritdoc cref="DatasetIngestion.WriteKeysAsync"/>
    public async Task WriteKeysAsync(IngestPlan plan, int part, CancellationToken cancellationToken)
    {
        await using var rowKeys = new PartitionedKeys(plan.KeyPartitions);
        await using var productKeys = ProductRows.AreMerged(plan) ? new PartitionedKeys(plan.KeyPartitions) : null;
        await foreach (var (unit, rows) in RowsAsync(plan, part, cancellationToken))
        {
            foreach (var row in rows.Where(row => row.State == RowState.Stored))
            {
                DuplicateRows.Add(rowKeys, unit, row);
                if (productKeys is not null) ProductRows.Add(productKeys, unit, row);
            }
        }
        await new DuplicateRows(container, plan.Blobs).WriteKeysAsync(part, rowKeys, cancellationToken);
        if (productKeys is not null) await new ProductRows(container, plan.Blobs).WriteKeysAsync(part, productKeys, cancellationToken);
    }

    /// <inheritdoc cref="DatasetIngestion.FindDuplicatesAsync"/>
    public async Task FindDuplicatesAsync(IngestPlan plan, int partition, CancellationToken cancellationToken)
    {
        await new DuplicateRows(container, plan.Blobs).FindAsync(partition, plan.CatalogParts, cancellationToken);
        if (!ProductRows.AreMerged(plan)) return;
        await new ProductRows(container, plan.Blobs).FindAsync(
            partition, plan.CatalogParts, plan.Request.MaxImages, cancellationToken);
    }

    /// <inheritdoc cref="DatasetIngestion.WriteCatalogAsync(DatasetBlobs, int, CancellationToken)"/>
    public async Task WriteAsync(IngestPlan plan, int part, CancellationToken cancellationToken)
    {
        var dataset = plan.Blobs;
        var (duplicates, products) = (new DuplicateRows(container, dataset), new ProductRows(container, dataset));
        var repeated = await duplicates.FoundAsync(part, plan.KeyPartitions, cancellationToken);
        var merged = await products.FoundAsync(part, plan.KeyPartitions, cancellationToken);
        var summary = new CatalogSummaryBuilder(plan.Columns);
        await using var csv = TemporaryFile.Create();
        await using var parquet = TemporaryFile.Create();
        await using var hashes = TemporaryFile.Create();
        await using var hashWriter = new BinaryWriter(hashes);
        await using (var catalog = await CatalogWriter.CreateAsync(csv, parquet, dataset, plan.Columns))
        {
            await foreach (var (unit, rows) in RowsAsync(plan, part, cancellationToken))
            {
                var marked = await duplicates.MarkAsync(unit, rows, repeated[unit.Number], cancellationToken);
                marked = await products.MarkAsync(unit, marked, merged[unit.Number], cancellationToken);
                summary.Add(marked);
                foreach (var row in marked) ImageHashes.Add(hashWriter, row);
                await catalog.AddAsync(marked);
            }
        }
        (csv.Position, parquet.Position, hashes.Position) = (0, 0, 0);
        var (csvName, parquetName) = plan.CatalogParts == 1
            ? (dataset.CatalogCsv, dataset.CatalogParquet)
            : ($"{dataset.CatalogPart(part)}.csv", $"{dataset.CatalogPart(part)}.parquet");
        await container.GetBlobClient(csvName).CreateAsync(csv, "text/csv", cancellationToken);
        await container.GetBlobClient(parquetName).CreateAsync(parquet, "application/vnd.apache.parquet", cancellationToken);
        await new ImageHashes(container, dataset).WriteAsync(part, hashes, cancellationToken);
        await container.GetBlobClient(dataset.SummaryPart(part)).CreateJsonAsync(
            summary.Result, PipelineJson.Compact, cancellationToken);
    }

    /// <inheritdoc cref="DatasetIngestion.MergeCatalogAsync"/>
    public async Task<RowCounts> MergeAsync(IngestPlan plan, CancellationToken cancellationToken)
    {
        var dataset = plan.Blobs;
        var merged = new CatalogSummaryBuilder(plan.Columns);
        for (var part = 0; part < plan.CatalogParts; part++)
            merged.Add(await container.GetBlobClient(dataset.SummaryPart(part)).RequireJsonAsync<CatalogSummary>(cancellationToken));
        var result = merged.Result;
        var categories = plan.Columns.Further.Where(field => field.Kind == FieldKind.Category)
            .Select(field => (field.Name, result.Fields[field.Name].Values)).Prepend((FieldDefinition.Category, result.Categories));
        var alike = await new ImageHashes(container, dataset).FindNearDuplicatesAsync(plan.CatalogParts, cancellationToken);
        var summary = result with { Quality = null, Warnings = QualityWarnings.Of(result.Quality!, alike, [.. categories]) };
        await container.GetBlobClient(dataset.Summary).CreateJsonAsync(summary, PipelineJson.Compact, cancellationToken);
        return summary.Counts;
    }

    /// <summary>Reads the manifests of a part, one unit after another.</summary>
    private async IAsyncEnumerable<(IngestUnit Unit, IReadOnlyList<ManifestRow> Rows)> RowsAsync(
        IngestPlan plan, int part, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var first = part * plan.CatalogPartUnits;
        await foreach (var unit in plans.UnitsAsync(plan, first, plan.CatalogPartUnits, cancellationToken))
        {
            var manifest = plan.Blobs.Manifest(unit.Split, unit.Number);
            yield return (unit, await manifests.ReadAsync(manifest, cancellationToken).ToListAsync(cancellationToken));
        }
    }
}
