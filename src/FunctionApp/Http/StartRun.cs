using FunctionsPipeline.Contracts;
using FunctionsPipeline.Datasets;
using FunctionsPipeline.FunctionApp.Gpu;
using FunctionsPipeline.FunctionApp.Orchestration;
using FunctionsPipeline.FunctionApp.Runs;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Mvc;
using Microsoft.Azure.Functions.Worker;
using Microsoft.DurableTask;
using Microsoft.DurableTask.Client;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace FunctionsPipeline.FunctionApp.Http;

/// <summary><c>POST /api/runs</c>: validates a request, including its repositories on the Hub, then starts the run.</summary>
public sealed class StartRun(
    DatasetIngestion datasets, ModelMirror models, RunState state, RunIndex index, IGpuJobs jobs, IOptions<PipelineOptions> options,
    TimeProvider time, ILogger<StartRun> logger)
{
    private const string Wanted = "a run request, such as {\"dataset\": {\"repo\": \"owner/name\", …}}";

    [Function(nameof(StartRun))]
    public async Task<IActionResult> RunAsync(
        [HttpTrigger(AuthorizationLevel.Function, "post", Route = "runs")] HttpRequest request,
        [DurableClient] DurableTaskClient client,
        FunctionContext context,
        CancellationToken cancellationToken)
    {
        try
        {
            var wanted = await RequestReader.ReadAsync<RunRequest>(request.Body, Wanted, cancellationToken);
            if (RunRequestRules.Check(wanted) is { Count: > 0 } errors) return Answers.Problem(errors);
            if (jobs.SetupProblem is { } missing) return Answers.Problem(StatusCodes.Status503ServiceUnavailable, missing);
            var plan = await PinAsync(wanted with { Run = wanted.Run ?? InstanceIds.New("run", time) }, cancellationToken);
            var run = plan.Run!;
            if (!await TryStartAsync(client, plan, cancellationToken))
                return Answers.Problem(StatusCodes.Status409Conflict, $"There is a run '{run}' already; choose another id or leave it out.", "run");

            var location = Location(request, run);
            request.HttpContext.Response.Headers.Location = location;
            var management = client.CreateHttpManagementPayload(run, await context.GetHttpRequestDataAsync());
            var accepted = new RunAccepted(run, location) { Management = ManagementUrls.Of(management) };
            return Answers.Json(accepted, StatusCodes.Status202Accepted);
        }
        catch (RequestException e)
        {
            return Answers.Problem(e.Status, e.Message, e.Field);
        }
        catch (HubException e)
        {
            return Answers.Problem(e);
        }
    }

    /// <summary>Returns the URL path of a run, relative to the request's own path: host.json may change the route prefix.</summary>
    internal static string Location(HttpRequest request, string run) => $"{request.PathBase}{request.Path.Value?.TrimEnd('/')}/{run}";

    /// <summary>
    /// Replaces the request's revisions with the commits that they point to now; throws when the Hub lacks a repository or revision.
    /// </summary>
    private async Task<RunRequest> PinAsync(RunRequest request, CancellationToken cancellationToken)
    {
        var dataset = await datasets.CheckAsync(request.Dataset, cancellationToken);
        var model = await models.ResolveCommitAsync(request.BaseModel, cancellationToken);
        return request with
        {
            Dataset = request.Dataset with { Revision = dataset },
            BaseModel = request.BaseModel with { Revision = model },
        };
    }

    private async Task<bool> TryStartAsync(DurableTaskClient client, RunRequest request, CancellationToken cancellationToken)
    {
        var run = request.Run!;
        if (await client.GetInstanceAsync(run, cancellationToken) is not null || !await state.ClaimAsync(run, request, cancellationToken)) return false;
        var acceptedAt = time.GetUtcNow();
        try
        {
            await index.AddAsync(run, acceptedAt, cancellationToken);
            var policy = options.Value.GpuJobs.Policy;
            await client.ScheduleNewOrchestrationInstanceAsync(
                nameof(FineTune), new RunPlan(request, policy), new StartOrchestrationOptions(InstanceId: run), cancellationToken);
        }
        catch
        {
            await index.RemoveAsync(run, acceptedAt);
            await state.UnclaimAsync(run);
            throw;
        }
        Logs.RunAccepted(logger, run, request.Dataset.Repo, request.Dataset.Revision, request.BaseModel.Repo, request.BaseModel.Revision);
        return true;
    }
}
