using FunctionsPipeline.FunctionApp.Gpu;
using FunctionsPipeline.FunctionApp.Runs;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Mvc;
using Microsoft.Azure.Functions.Worker;
using Microsoft.DurableTask.Client;
using Microsoft.Extensions.Logging;

namespace FunctionsPipeline.FunctionApp.Http;

/// <summary><c>POST /api/runs/{run}/cancel</c>: terminates a run's orchestration and stops its GPU job.</summary>
public sealed class CancelRun(RunState state, IGpuJobs jobs, ILogger<CancelRun> logger)
{
    [Function(nameof(CancelRun))]
    public async Task<IActionResult> RunAsync(
        [HttpTrigger(AuthorizationLevel.Function, "post", Route = "runs/{run}/cancel")] HttpRequest request,
        string run,
        [DurableClient] DurableTaskClient client,
        CancellationToken cancellationToken)
    {
        if (await RunViews.GetAsync(client, run, cancellationToken) is not { } view) return Answers.NoRun(run);
        if (view.RuntimeStatus is nameof(OrchestrationRuntimeStatus.Completed) or nameof(OrchestrationRuntimeStatus.Failed))
            return Answers.Problem(StatusCodes.Status409Conflict, $"Run '{run}' has ended already: {view.RuntimeStatus}.", "run");

        // Races with StartGpuJob, which stores the job and then checks the mark: marking first means that either it sees our mark or we see
        // its job.
        await state.MarkCancelledAsync(run, cancellationToken);
        await client.TerminateInstanceAsync(run, new TerminateInstanceOptions("cancelled", Recursive: true), cancellationToken);
        if (await state.StartedAsync(run, cancellationToken) is { } job) await jobs.StopAsync(job.Name, cancellationToken);
        Logs.RunCancelled(logger, run);
        return Answers.Json(await RunViews.GetAsync(client, run, cancellationToken) ?? view, StatusCodes.Status202Accepted);
    }
}
