using Azure.Storage.Blobs;
using FunctionsPipeline.Contracts;

namespace FunctionsPipeline.Datasets;

/// <summary>Plans in blob storage. They never change, so the last few that were read are kept.</summary>
internal sealed class PlanStore(BlobContainerClient container)
{
    private const int Kept = 4;

    private readonly LinkedList<IngestPlan> _plans = new();

    /// <summary>The plan of a view; null when there is none yet.</summary>
    public async Task<IngestPlan?> FindAsync(DatasetBlobs dataset, CancellationToken cancellation)
    {
        lock (_plans)
            if (_plans.FirstOrDefault(kept => kept.Blobs == dataset) is { } known) return known;
        if (await container.GetBlobClient(dataset.Plan).ReadJsonAsync<IngestPlan>(cancellation) is not { } plan) return null;
        lock (_plans)
        {
            _plans.AddFirst(plan);
            if (_plans.Count > Kept) _plans.RemoveLast();
        }
        return plan;
    }

    /// <summary>The plan of a view that was resolved.</summary>
    public async Task<IngestPlan> ReadAsync(DatasetBlobs dataset, CancellationToken cancellation) =>
        await FindAsync(dataset, cancellation)
        ?? throw new InvalidOperationException($"{Containers.Datasets}/{dataset.Plan} is gone; resolve the dataset again");

    /// <summary>Keeps a plan, unless there is one already; what is kept is what counts.</summary>
    public async Task<IngestPlan> KeepAsync(IngestPlan plan, CancellationToken cancellation)
    {
        await container.GetBlobClient(plan.Blobs.Plan).CreateJsonAsync(plan, PipelineJson.Compact, cancellation);
        return await ReadAsync(plan.Blobs, cancellation);
    }
}
