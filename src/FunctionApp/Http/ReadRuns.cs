using FunctionsPipeline.FunctionApp.Runs;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Mvc;
using Microsoft.Azure.Functions.Worker;
using Microsoft.DurableTask.Client;

namespace FunctionsPipeline.FunctionApp.Http;

/// <summary>What can be asked about runs.</summary>
public sealed class ReadRuns(RunState state)
{
    /// <summary><c>GET /api/runs</c>: all runs, newest first.</summary>
    [Function(nameof(ListRuns))]
    public async Task<IActionResult> ListRuns(
        [HttpTrigger(AuthorizationLevel.Function, "get", Route = "runs")] HttpRequest request,
        [DurableClient] DurableTaskClient client,
        CancellationToken cancellation) =>
        Answers.Json(await RunViews.ListAsync(client, cancellation));

    /// <summary><c>GET /api/runs/{run}</c>: where a run stands.</summary>
    [Function(nameof(GetRun))]
    public async Task<IActionResult> GetRun(
        [HttpTrigger(AuthorizationLevel.Function, "get", Route = "runs/{run}")] HttpRequest request,
        string run,
        [DurableClient] DurableTaskClient client,
        CancellationToken cancellation) =>
        await RunViews.GetAsync(client, run, cancellation) is { } view ? Answers.Json(view) : Answers.NoRun(run);

    /// <summary><c>GET /api/runs/{run}/metrics</c>: the metrics written so far, as JSON lines.</summary>
    [Function(nameof(GetMetrics))]
    public async Task<IActionResult> GetMetrics(
        [HttpTrigger(AuthorizationLevel.Function, "get", Route = "runs/{run}/metrics")] HttpRequest request,
        string run,
        [DurableClient] DurableTaskClient client,
        CancellationToken cancellation) =>
        await RunViews.GetAsync(client, run, cancellation) is null
            ? Answers.NoRun(run)
            : Answers.Lines((await state.MetricsAsync(run, cancellation))?.ToString() ?? "");
}
