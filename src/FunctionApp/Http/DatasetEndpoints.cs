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
/// Endpoints that inspect or ingest a dataset without a run. The body of both requests is the <c>dataset</c> part of a run request.
/// </summary>
public sealed class DatasetEndpoints(DatasetIngestion datasets, TimeProvider time)
{
    private const string Wanted = "a dataset, such as {\"repo\": \"owner/name\"} or {\"source\": {\"container\": \"name\"}}";

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
            var pinned = await datasets.CheckAsync(dataset, cancellationToken);
            var id = InstanceIds.New("ingest", time);
            await client.ScheduleNewOrchestrationInstanceAsync(
                nameof(IngestDataset), pinned, new StartOrchestrationOptions(InstanceId: id), cancellationToken);
            var management = ManagementUrls.Of(client.CreateHttpManagementPayload(id, await context.GetHttpRequestDataAsync()));
            request.HttpContext.Response.Headers.Location = management[ManagementUrls.Status];
            return Responses.Json(new IngestionAccepted(id, pinned.Revision, management), StatusCodes.Status202Accepted);
        }, cancellationToken);

    /// <summary>Reads and validates the request, and has it answered; errors become problem documents.</summary>
    private static async Task<IActionResult> RespondAsync(
        HttpRequest request, Func<DatasetRequest, Task<IActionResult>> respond, CancellationToken cancellationToken)
    {
        try
        {
            var dataset = await RequestReader.ReadAsync<DatasetRequest>(request.Body, Wanted, cancellationToken);
            var errors = new ValidationErrors();
            RequestRules.Check(dataset, "", errors);
            return errors.All is { Count: > 0 } all ? Responses.Problem(all) : await respond(dataset);
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
