using System.Security.Cryptography;
using System.Text.Json;
using FunctionsPipeline.Contracts;
using FunctionsPipeline.Datasets.Storage;

namespace FunctionsPipeline.Datasets.Planning;

/// <summary>Plans the retry of rejected rows: a new view of the same commit, with the units of the old one.</summary>
internal sealed class RetryPlanner(PlanStore plans, ReportStore reports)
{
    /// <summary>
    /// Returns the plan of the first retry that is not complete, and creates it unless it exists: who asks while a retry is in progress
    /// gets that one, and who asks afterwards gets a further one.
    /// </summary>
    /// <param name="reasons">Reasons whose rows are read again, each one of <see cref="Rejection"/>.</param>
    /// <exception cref="RequestException">There is no such view, it is not complete, or it has no such rows.</exception>
    public async Task<IngestPlan> PlanAsync(DatasetBlobs dataset, IReadOnlyList<string> reasons, CancellationToken cancellationToken)
    {
        if (await plans.FindAsync(dataset, cancellationToken) is not { } plan)
        {
            throw new RequestException(
                "view", 404, $"There is no ingested dataset {dataset.Repo}@{dataset.Commit} with the view '{dataset.View}'.");
        }
        if (await reports.FindAsync(dataset, cancellationToken) is not { } report)
            throw new RequestException("view", 409, $"The ingestion of the view '{dataset.View}' has not ended; retry its rows then.");
        string[] sorted = [.. reasons.Distinct().Order(StringComparer.Ordinal)];
        var rejected = report.Counts.RejectedBy;
        if (!sorted.Any(rejected.ContainsKey))
        {
            var there = rejected.Count == 0 ? "none was rejected" : $"its rows were rejected for: {string.Join(", ", rejected.Keys)}";
            throw new RequestException("reasons", 409,
                $"The view '{dataset.View}' has no row to retry that was rejected for {string.Join(", ", sorted)}; {there}.");
        }
        for (var attempt = 1; ; attempt++)
        {
            var retry = dataset with { View = NameOf(dataset.View, sorted, attempt) };
            if (await reports.FindAsync(retry, cancellationToken) is not null) continue;
            return await plans.KeepAsync(
                // Files of a container that were missing or damaged have been changed since, if the retry is to heal their rows.
                plan with { View = retry.View, Retry = new PlannedRetry(dataset.View, sorted), AsOf = null },
                await plans.FilesAsync(plan, cancellationToken).ToListAsync(cancellationToken),
                await plans.UnitsAsync(plan, 0, plan.Units, cancellationToken).ToListAsync(cancellationToken), cancellationToken);
        }
    }

    private static string NameOf(string view, string[] reasons, int attempt) => Convert.ToHexStringLower(SHA256.HashData(
        JsonSerializer.SerializeToUtf8Bytes(new { DatasetResolver.Layout, view, reasons, attempt }, PipelineJson.Compact)))[..12];
}
