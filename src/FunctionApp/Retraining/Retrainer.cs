using System.Security.Cryptography;
using System.Text;
using Azure;
using Azure.Storage.Blobs;
using Azure.Storage.Blobs.Models;
using FunctionsPipeline.Contracts;
using FunctionsPipeline.Datasets.Hub;
using FunctionsPipeline.FunctionApp.Gpu;
using FunctionsPipeline.FunctionApp.Runs;
using FunctionsPipeline.FunctionApp.Storage;
using Microsoft.DurableTask.Client;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace FunctionsPipeline.FunctionApp.Retraining;

/// <summary>
/// Starts the configured run for a new commit of its dataset or for new corrections. A run's id is made of its cause, so that no cause
/// starts two runs; a cause waits while another run is in progress.
/// </summary>
public sealed class Retrainer(
    RunStarter starter,
    RunIndex index,
    HubClient hub,
    BlobServiceClient blobs,
    IGpuJobs jobs,
    IOptions<PipelineOptions> options,
    TimeProvider time,
    ILogger<Retrainer> logger)
{
    /// <summary>Beginning of the ids of runs that started by themselves.</summary>
    public const string RunPrefix = "retrain-";

    private const int HashDigits = 12;
    private const int RunsPerPage = 50;

    // The longest training that a request may ask for: no older run is looked at.
    private static readonly TimeSpan LongestRun = TimeSpan.FromDays(30);

    private BlobClient WaitingPush => blobs.GetBlobContainerClient(Containers.Runs).GetBlobClient(RunBlobs.WaitingPush);

    /// <summary>Starts the run of a commit that was pushed to the dataset; a run that has to wait is started by the timer.</summary>
    public async Task<RetrainingDecision> PushedAsync(DurableTaskClient client, string commit, CancellationToken cancellationToken)
    {
        // Before the start, so that the timer finds a push whose start did not get to its end.
        await WaitingPush.WriteJsonAsync(new Push(commit), null, cancellationToken);
        return await StartPushedAsync(client, commit, cancellationToken);
    }

    /// <summary>Starts the run of whatever cause there is.</summary>
    public async Task TickAsync(DurableTaskClient client, CancellationToken cancellationToken)
    {
        var retraining = options.Value.Retraining;
        if (retraining.WebhookSecret is { Length: > 0 }
            && await WaitingPush.ReadJsonAsync<Push>(cancellationToken) is { Document: var push })
        {
            await StartPushedAsync(client, push.Commit, cancellationToken);
        }
        if (retraining.Poll) await PollAsync(client, retraining.ReadRequest().Dataset, cancellationToken);
        if (retraining.Corrections is { } threshold) await CountCorrectionsAsync(client, threshold, cancellationToken);
    }

    private async Task<RetrainingDecision> StartPushedAsync(DurableTaskClient client, string commit, CancellationToken cancellationToken)
    {
        var decision = await StartAsync(client, commit, cancellationToken);
        // Unless a later push has taken its place.
        if (decision.Outcome != RetrainingOutcome.Waiting
            && await WaitingPush.ReadJsonAsync<Push>(cancellationToken) is var (push, etag) && push.Commit == commit)
        {
            await DeleteAsync(etag, cancellationToken);
        }
        return decision;
    }

    private async Task DeleteAsync(ETag etag, CancellationToken cancellationToken)
    {
        try
        {
            var unchanged = new BlobRequestConditions { IfMatch = etag };
            await WaitingPush.DeleteIfExistsAsync(conditions: unchanged, cancellationToken: cancellationToken);
        }
        catch (RequestFailedException e) when (e.ErrorCode == BlobErrorCode.ConditionNotMet)
        {
            // A later push has been written since it was read.
        }
    }

    private async Task PollAsync(DurableTaskClient client, DatasetRequest dataset, CancellationToken cancellationToken)
    {
        try
        {
            var commit = await hub.GetCommitAsync(HubRepositoryKind.Dataset, dataset.Repo, dataset.Revision, cancellationToken);
            await StartAsync(client, commit, cancellationToken);
        }
        catch (HubException e)
        {
            Decide($"a new commit of {dataset.Repo}", new RetrainingDecision(RetrainingOutcome.Waiting, e.Message));
        }
    }

    private async Task CountCorrectionsAsync(DurableTaskClient client, int threshold, CancellationToken cancellationToken)
    {
        var last = await index.NewestAsync(RunPrefix, cancellationToken) ?? DateTimeOffset.MinValue;
        var corrections = await blobs.GetBlobContainerClient(Containers.Corrections)
            .GetBlobsAsync(new GetBlobsOptions(), cancellationToken)
            .Where(correction => correction.Properties.LastModified > last)
            .Select(correction => $"{correction.Name} {correction.Properties.ETag}").ToListAsync(cancellationToken);
        var cause = $"{corrections.Count} new corrections";
        if (corrections.Count < threshold)
        {
            Decide(cause, new RetrainingDecision(RetrainingOutcome.Ignored, $"{threshold} start a run"));
            return;
        }
        var hash = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(string.Join('\n', corrections))));
        await StartAsync(
            client, $"{RunPrefix}corrections-{hash[..HashDigits]}", options.Value.Retraining.ReadRequest(), cause, cancellationToken);
    }

    private Task<RetrainingDecision> StartAsync(DurableTaskClient client, string commit, CancellationToken cancellationToken)
    {
        var request = options.Value.Retraining.ReadRequest();
        var pinned = request with { Dataset = request.Dataset with { Revision = commit } };
        return StartAsync(
            client, $"{RunPrefix}{commit[..HashDigits]}", pinned, $"{request.Dataset.Repo} at {commit}", cancellationToken);
    }

    private async Task<RetrainingDecision> StartAsync(
        DurableTaskClient client, string run, RunRequest request, string cause, CancellationToken cancellationToken)
    {
        try
        {
            if (await client.GetInstanceAsync(run, cancellationToken) is not null) return Ignore();
            if (jobs.SetupProblem is { } missing) return Wait(missing);
            if (await RunInProgressAsync(client, cancellationToken) is { } other) return Wait($"the run {other} is in progress");
            var pinned = await starter.PinAsync(request with { Run = run }, cancellationToken);
            if (!await starter.TryStartAsync(client, pinned, cancellationToken)) return Ignore();
            return Decide(cause, new RetrainingDecision(RetrainingOutcome.Started, $"as the run {run}") { Run = run });
        }
        // What the Hub refuses today, such as a dataset that it has not converted to Parquet yet, it may give later.
        catch (Exception e) when (e is RequestException or HubException)
        {
            return Wait(e.Message);
        }

        RetrainingDecision Ignore() =>
            Decide(cause, new RetrainingDecision(RetrainingOutcome.Ignored, $"the run {run} has been started for it") { Run = run });

        RetrainingDecision Wait(string reason) => Decide(cause, new RetrainingDecision(RetrainingOutcome.Waiting, reason) { Run = run });
    }

    private RetrainingDecision Decide(string cause, RetrainingDecision decision)
    {
        Logs.RetrainingDecided(logger, cause, decision.Outcome, decision.Reason);
        return decision;
    }

    private async Task<string?> RunInProgressAsync(DurableTaskClient client, CancellationToken cancellationToken)
    {
        for (string? continuation = null; ;)
        {
            (var runs, continuation) = await index.ReadAsync(
                time.GetUtcNow() - LongestRun, null, RunsPerPage, continuation, cancellationToken);
            foreach (var run in runs)
                if (await client.GetInstanceAsync(run, cancellationToken) is { IsCompleted: false }) return run;
            if (continuation is null) return null;
        }
    }

    /// <summary>A push to the dataset whose run has not been started yet.</summary>
    private sealed record Push(string Commit);
}
