using System.Globalization;
using FunctionsPipeline.Contracts;
using FunctionsPipeline.FunctionApp.Gpu;
using FunctionsPipeline.FunctionApp.Runs;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Mvc;
using Microsoft.Azure.Functions.Worker;
using Microsoft.DurableTask.Client;

namespace FunctionsPipeline.FunctionApp.Http;

/// <summary>Endpoints that start, list, show and cancel runs.</summary>
public sealed class RunEndpoints(
    RunStarter starter, RunCanceller canceller, RunDocumentStore store, RunIndex index, IGpuJobs jobs, TimeProvider time)
{
    private const string Wanted = "a run request, such as {\"dataset\": {\"repo\": \"owner/name\", …}}";

    /// <summary><c>POST /api/runs</c>: validates a request, including its repositories on the Hub, then starts the run.</summary>
    [Function(nameof(StartRun))]
    public Task<IActionResult> StartRun(
        [HttpTrigger(AuthorizationLevel.Function, "post", Route = "runs")] HttpRequest request,
        [DurableClient] DurableTaskClient client,
        FunctionContext context,
        CancellationToken cancellationToken) =>
        TrainingRequests.RespondAsync<RunRequest>(request, Wanted, RequestRules.Check, jobs, async wanted =>
        {
            var pinned = await starter.PinAsync(wanted with { Run = wanted.Run ?? InstanceIds.New("run", time) }, cancellationToken);
            var run = pinned.Run!;
            if (!await starter.TryStartAsync(client, pinned, cancellationToken))
            {
                return Responses.Problem(
                    StatusCodes.Status409Conflict, $"There is a run '{run}' already; choose another id or leave it out.", "run");
            }

            var location = Location(request, run);
            request.HttpContext.Response.Headers.Location = location;
            var management = client.CreateHttpManagementPayload(run, await context.GetHttpRequestDataAsync());
            var accepted = new RunAccepted(run, location) { Management = ManagementUrls.Of(management) };
            return Responses.Json(accepted, StatusCodes.Status202Accepted);
        }, cancellationToken);

    /// <summary>
    /// <c>GET /api/runs?top=&amp;continuation=&amp;status=&amp;createdFrom=&amp;createdTo=</c>: a page of runs, newest first.
    /// </summary>
    [Function(nameof(ListRuns))]
    public async Task<IActionResult> ListRuns(
        [HttpTrigger(AuthorizationLevel.Function, "get", Route = "runs")] HttpRequest request,
        [DurableClient] DurableTaskClient client,
        CancellationToken cancellationToken)
    {
        var errors = new ValidationErrors();
        var query = RunListQuery.Read(request.Query, errors);
        if (errors.All is { Count: > 0 } all) return Responses.Problem(all);
        return await Responses.PageAsync(query.Continuation, () => RunReader.ListAsync(client, index, query, cancellationToken));
    }

    /// <summary><c>GET /api/runs/{run}</c>: the state of a run.</summary>
    [Function(nameof(GetRun))]
    public async Task<IActionResult> GetRun(
        [HttpTrigger(AuthorizationLevel.Function, "get", Route = "runs/{run}")] HttpRequest request,
        string run,
        [DurableClient] DurableTaskClient client,
        CancellationToken cancellationToken) =>
        await RunReader.GetAsync(client, run, cancellationToken) is { } view
            ? Responses.Json(request, view)
            : Responses.NoRun(run);

    /// <summary>
    /// <c>GET /api/runs/{run}/metrics?afterStep=</c>: the metrics written so far, or those of later steps, as JSON lines with an ETag. A
    /// request with that ETag as <c>If-None-Match</c> gets 304 until there are more.
    /// </summary>
    [Function(nameof(GetMetrics))]
    public async Task<IActionResult> GetMetrics(
        [HttpTrigger(AuthorizationLevel.Function, "get", Route = "runs/{run}/metrics")] HttpRequest request,
        string run,
        [DurableClient] DurableTaskClient client,
        CancellationToken cancellationToken)
    {
        int? afterStep = null;
        if (request.Query["afterStep"].LastOrDefault() is { Length: > 0 } text)
        {
            if (!int.TryParse(text, CultureInfo.InvariantCulture, out var step))
                return Responses.Problem(StatusCodes.Status400BadRequest, $"afterStep is '{text}', must be a number.", "afterStep");
            afterStep = step;
        }
        if (!await RunReader.ExistsAsync(client, run, cancellationToken)) return Responses.NoRun(run);
        if (await store.VersionAsync(new RunBlobs(run).Metrics, cancellationToken) is not { } version) return Responses.Lines("");
        return Conditions.NotModified(request, version.ETag.ToString("H"))
            ?? Responses.Lines(await store.MetricsAsync(run, version, afterStep, cancellationToken));
    }

    /// <summary><c>POST /api/runs/{run}/cancel</c>: terminates a run's orchestration and stops its GPU job.</summary>
    [Function(nameof(CancelRun))]
    public async Task<IActionResult> CancelRun(
        [HttpTrigger(AuthorizationLevel.Function, "post", Route = "runs/{run}/cancel")] HttpRequest request,
        string run,
        [DurableClient] DurableTaskClient client,
        CancellationToken cancellationToken)
    {
        if (await RunReader.GetAsync(client, run, cancellationToken) is not { } view) return Responses.NoRun(run);
        if (RunReader.HasEnded(view.RuntimeStatus))
        {
            // A stop that failed can be repeated.
            if (view.RuntimeStatus is nameof(OrchestrationRuntimeStatus.Terminated)) await canceller.StopJobAsync(run, cancellationToken);
            return Responses.Problem(StatusCodes.Status409Conflict, $"Run '{run}' has ended already: {view.RuntimeStatus}.", "run");
        }

        await canceller.CancelAsync(client, run, cancellationToken);
        return Responses.Json(await RunReader.GetAsync(client, run, cancellationToken) ?? view, StatusCodes.Status202Accepted);
    }

    /// <summary>Returns the URL path of a run, relative to the request's own path: host.json may change the route prefix.</summary>
    internal static string Location(HttpRequest request, string run) =>
        $"{request.PathBase}{request.Path.Value?.TrimEnd('/')}/{run}";
}
