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
        CancellationToken cancellation)
    {
        if (await RunViews.GetAsync(client, run, cancellation) is not { } view) return Answers.NoRun(run);
        if (view.RuntimeStatus is nameof(OrchestrationRuntimeStatus.Completed) or nameof(OrchestrationRuntimeStatus.Failed))
            return Answers.Problem(StatusCodes.Status409Conflict, $"Run '{run}' has ended already: {view.RuntimeStatus}.", "run");

        // Races with StartGpuJob, which stores the job and then checks the mark: marking first means that either it sees our mark or we see
        // its job.
        await state.MarkCancelledAsync(run, cancellation);
        await client.TerminateInstanceAsync(run, new TerminateInstanceOptions("cancelled", Recursive: true), cancellation);
        if (await state.StartedAsync(run, cancellation) is { } job) await jobs.StopAsync(job.Name, cancellation);
        Logs.RunCancelled(logger, run);
        return Answers.Json(await RunViews.GetAsync(client, run, cancellation) ?? view, StatusCodes.Status202Accepted);
    }
}
