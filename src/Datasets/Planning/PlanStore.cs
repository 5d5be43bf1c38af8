using Azure.Storage.Blobs;
using FunctionsPipeline.Contracts;

namespace FunctionsPipeline.Datasets;

/// <summary>Reads and writes plans in blob storage; caches the most recent plans, which never change.</summary>
internal sealed class PlanStore(BlobContainerClient container)
{
    private const int Kept = 4;

    private readonly LinkedList<IngestPlan> _plans = new();

    /// <summary>Finds the plan of a view; null when there is none yet.</summary>
    public async Task<IngestPlan?> FindAsync(DatasetBlobs dataset, CancellationToken cancellationToken)
    {
        lock (_plans)
            if (_plans.FirstOrDefault(kept => kept.Blobs == dataset) is { } known) return known;
        if (await container.GetBlobClient(dataset.Plan).ReadJsonAsync<IngestPlan>(cancellationToken) is not { } plan) return null;
        lock (_plans)
        {
            _plans.AddFirst(plan);
            if (_plans.Count > Kept) _plans.RemoveLast();
        }
        return plan;
    }

    /// <summary>Reads the plan of a resolved view.</summary>
    public async Task<IngestPlan> ReadAsync(DatasetBlobs dataset, CancellationToken cancellationToken) =>
        await FindAsync(dataset, cancellationToken)
        ?? throw new InvalidOperationException($"{Containers.Datasets}/{dataset.Plan} is gone; resolve the dataset again");

    /// <summary>Writes a plan unless one exists; returns the stored plan, which may be that of a concurrent writer.</summary>
    public async Task<IngestPlan> KeepAsync(IngestPlan plan, CancellationToken cancellationToken)
    {
        await container.GetBlobClient(plan.Blobs.Plan).CreateJsonAsync(plan, PipelineJson.Compact, cancellationToken);
        return await ReadAsync(plan.Blobs, cancellationToken);
    }
}
