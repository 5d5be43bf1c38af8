using FunctionsPipeline.Contracts;
using FunctionsPipeline.Datasets;
using FunctionsPipeline.Datasets.Hub;
using FunctionsPipeline.FunctionApp.Orchestration;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Mvc;
using Microsoft.Azure.Functions.Worker;
using Microsoft.DurableTask;
using Microsoft.DurableTask.Client;

namespace FunctionsPipeline.FunctionApp.Http;

/// <summary>
/// Endpoints that inspect or ingest a dataset without a run. The body of these requests is the <c>dataset</c> part of a run request; a
/// retry of rejected rows has a body of its own.
/// </summary>
public sealed class DatasetEndpoints(DatasetIngestion datasets, TimeProvider time)
{
    private const string Wanted = "a dataset, such as {\"repo\": \"owner/name\"} or {\"source\": {\"container\": \"name\"}}";
    private const string WantedRetry = "a retry, such as {\"reasons\": [\"timeout\"]}";

    /// <summary><c>POST /api/datasets/inspect</c>: describes a dataset's columns and their mapping; stores nothing.</summary>
    [Function(nameof(InspectDataset))]
    public Task<IActionResult> InspectDataset(
        [HttpTrigger(AuthorizationLevel.Function, "post", Route = "datasets/inspect")] HttpRequest request,
        CancellationToken cancellationToken) =>
        RespondAsync(request, async dataset => Responses.Json(await datasets.InspectAsync(dataset, cancellationToken)), cancellationToken);

    /// <summary><c>POST /api/datasets/ingest</c>: ingests a dataset into training shards, without training on it.</summary>
    [Function(nameof(StartIngestion))]
    public Task<IActionResult> StartIngestion(
        [HttpTrigger(AuthorizationLevel.Function, "post", Route = "datasets/ingest")] HttpRequest request,
        [DurableClient] DurableTaskClient client,
        FunctionContext context,
        CancellationToken cancellationToken) =>
        RespondAsync(request, async dataset =>
        {
            var pinned = (await datasets.CheckAsync(dataset, cancellationToken)).Pinned;
            return await StartAsync(request, pinned, client, context, cancellationToken);
        }, cancellationToken);

    /// <summary>
    /// <c>POST /api/datasets/{owner}/{name}/{commit}/{view}/retry</c>: ingests a new view of the commit, in which rows that were rejected
    /// are read again and all others are those of the view. The body may be empty.
    /// </summary>
    [Function(nameof(RetryRows))]
    public Task<IActionResult> RetryRows(
        [HttpTrigger(AuthorizationLevel.Function, "post", Route = "datasets/{owner}/{name}/{commit}/{view}/retry")] HttpRequest request,
        string owner, string name, string commit, string view,
        [DurableClient] DurableTaskClient client,
        FunctionContext context,
        CancellationToken cancellationToken) =>
        RespondAsync(async () =>
        {
            using var body = new MemoryStream();
            await request.Body.CopyToAsync(body, cancellationToken);
            body.Position = 0;
            var wanted = body.Length == 0 ? new RetryRowsRequest()
                : await RequestReader.ReadAsync<RetryRowsRequest>(body, WantedRetry, cancellationToken);
            if (RequestRules.Check(wanted) is { Count: > 0 } errors) return Responses.Problem(errors);
            var retry = await datasets.RetryAsync(
                new DatasetBlobs($"{owner}/{name}", commit, view), wanted.Reasons ?? Rejection.Passing, cancellationToken);
            return await StartAsync(request, retry, client, context, cancellationToken);
        });

    private async Task<IActionResult> StartAsync(
        HttpRequest request, DatasetRequest dataset, DurableTaskClient client, FunctionContext context, CancellationToken cancellationToken)
    {
        var id = InstanceIds.New("ingest", time);
        await client.ScheduleNewOrchestrationInstanceAsync(
            nameof(IngestDataset), dataset, new StartOrchestrationOptions(InstanceId: id), cancellationToken);
        var management = ManagementUrls.Of(client.CreateHttpManagementPayload(id, await context.GetHttpRequestDataAsync()));
        request.HttpContext.Response.Headers.Location = management[ManagementUrls.Status];
        return Responses.Json(new IngestionAccepted(id, dataset.Revision, management), StatusCodes.Status202Accepted);
    }

    /// <summary>Reads and validates a dataset request, and has it answered.</summary>
    private static Task<IActionResult> RespondAsync(
        HttpRequest request, Func<DatasetRequest, Task<IActionResult>> respond, CancellationToken cancellationToken) =>
        RespondAsync(async () =>
        {
            var dataset = await RequestReader.ReadAsync<DatasetRequest>(request.Body, Wanted, cancellationToken);
            var errors = new ValidationErrors();
            RequestRules.Check(dataset, "", errors);
            return errors.All is { Count: > 0 } all ? Responses.Problem(all) : await respond(dataset);
        });

    /// <summary>Has a request answered; errors become problem documents.</summary>
    private static async Task<IActionResult> RespondAsync(Func<Task<IActionResult>> respond)
    {
        try
        {
            return await respond();
        }
        catch (RequestException e)
        {
            // Ingestion names fields by their paths in a run request; here the dataset is the complete body.
            const string Prefix = "dataset.";
            var field = e.Field.StartsWith(Prefix, StringComparison.Ordinal) ? e.Field[Prefix.Length..] : e.Field;
            return Responses.Problem(e.Status, e.Message, field);
        }
        catch (HubException e)
        {
            return Responses.Problem(e);
        }
    }
}
