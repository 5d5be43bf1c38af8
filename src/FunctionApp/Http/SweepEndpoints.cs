using FunctionsPipeline.Contracts;
using FunctionsPipeline.FunctionApp.Gpu;
using FunctionsPipeline.FunctionApp.Runs;
using FunctionsPipeline.FunctionApp.Sweeps;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Mvc;
using Microsoft.Azure.Functions.Worker;
using Microsoft.DurableTask.Client;

namespace FunctionsPipeline.FunctionApp.Http;

/// <summary>Endpoints that start, list, show and cancel sweeps.</summary>
public sealed class SweepEndpoints(
    RunStarter starter, RunCanceller canceller, RunDocumentStore store, SweepIndex index, IGpuJobs jobs, TimeProvider time)
{
    private const string Wanted = "a sweep request, such as {\"run\": {…}, \"space\": {\"learningRate\": {\"values\": [0.0001, 0.0002]}}}";

    /// <summary><c>POST /api/sweeps</c>: validates a request, including its repositories on the Hub, then starts the sweep.</summary>
    [Function(nameof(StartSweep))]
    public Task<IActionResult> StartSweep(
        [HttpTrigger(AuthorizationLevel.Function, "post", Route = "sweeps")] HttpRequest request,
        [DurableClient] DurableTaskClient client,
        CancellationToken cancellationToken) =>
        TrainingRequests.RespondAsync<SweepRequest>(request, Wanted, SweepRules.Check, jobs, async wanted =>
        {
            var sweep = wanted.Sweep ?? InstanceIds.New("sweep", time);
            var pinned = await starter.PinAsync(wanted with { Sweep = sweep }, cancellationToken);
            var plan = new SweepPlan(pinned, SearchSpace.Choose(pinned));
            if (!await starter.TryStartAsync(client, plan, cancellationToken))
            {
                return Responses.Problem(
                    StatusCodes.Status409Conflict, $"There is a sweep or a run '{sweep}' already; choose another id or leave it out.",
                    "sweep");
            }
            var location = RunEndpoints.Location(request, sweep);
            request.HttpContext.Response.Headers.Location = location;
            return Responses.Json(new SweepAccepted(sweep, location, plan.Runs.Count), StatusCodes.Status202Accepted);
        }, cancellationToken);

    /// <summary><c>GET /api/sweeps?top=&amp;continuation=</c>: a page of sweeps, newest first.</summary>
    [Function(nameof(ListSweeps))]
    public async Task<IActionResult> ListSweeps(
        [HttpTrigger(AuthorizationLevel.Function, "get", Route = "sweeps")] HttpRequest request,
        [DurableClient] DurableTaskClient client,
        CancellationToken cancellationToken)
    {
        var errors = new ValidationErrors();
        var parameters = new QueryParameters(request.Query, errors);
        var (top, continuation) = (parameters.Top(), parameters.Text("continuation"));
        if (errors.All is { Count: > 0 } all) return Responses.Problem(all);
        return await Responses.PageAsync(
            continuation, () => SweepReader.ListAsync(client, index, top, continuation, cancellationToken));
    }

    /// <summary><c>GET /api/sweeps/{sweep}</c>: the state of a sweep and its runs.</summary>
    [Function(nameof(GetSweep))]
    public async Task<IActionResult> GetSweep(
        [HttpTrigger(AuthorizationLevel.Function, "get", Route = "sweeps/{sweep}")] HttpRequest request,
        string sweep,
        [DurableClient] DurableTaskClient client,
        CancellationToken cancellationToken) =>
        await SweepReader.GetAsync(client, store, sweep, cancellationToken) is { } view ? Responses.Json(view) : NoSweep(sweep);

    /// <summary><c>POST /api/sweeps/{sweep}/cancel</c>: terminates a sweep's orchestration and cancels its runs.</summary>
    [Function(nameof(CancelSweep))]
    public async Task<IActionResult> CancelSweep(
        [HttpTrigger(AuthorizationLevel.Function, "post", Route = "sweeps/{sweep}/cancel")] HttpRequest request,
        string sweep,
        [DurableClient] DurableTaskClient client,
        CancellationToken cancellationToken)
    {
        if (await SweepReader.GetAsync(client, store, sweep, cancellationToken) is not { } view) return NoSweep(sweep);
        if (RunReader.HasEnded(view.RuntimeStatus))
        {
            return Responses.Problem(
                StatusCodes.Status409Conflict, $"Sweep '{sweep}' has ended already: {view.RuntimeStatus}.", "sweep");
        }
        var runs = view.Runs!.Where(run => run.RuntimeStatus is not { } status || !RunReader.HasEnded(status)).Select(run => run.Run);
        await canceller.CancelAsync(client, sweep, [.. runs], cancellationToken);
        var cancelled = await SweepReader.GetAsync(client, store, sweep, cancellationToken);
        return Responses.Json(cancelled ?? view, StatusCodes.Status202Accepted);
    }

    private static ContentResult NoSweep(string sweep) =>
        Responses.Problem(StatusCodes.Status404NotFound, $"There is no sweep '{sweep}'.", "sweep");
}
