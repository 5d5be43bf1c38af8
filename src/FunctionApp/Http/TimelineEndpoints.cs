using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Mvc;
using Microsoft.Azure.Functions.Worker;
using Microsoft.DurableTask.Client;

namespace FunctionsPipeline.FunctionApp.Http;

/// <summary>Endpoint that shows the course of orchestrations.</summary>
public sealed class TimelineEndpoints
{
    /// <summary><c>GET /api/timelines/{instance}</c>: the course of any orchestration, from its history.</summary>
    [Function(nameof(GetTimeline))]
    public async Task<IActionResult> GetTimeline(
        [HttpTrigger(AuthorizationLevel.Function, "get", Route = "timelines/{instance}")] HttpRequest request,
        string instance,
        [DurableClient] DurableTaskClient client,
        CancellationToken cancellationToken) =>
        await TimelineReader.ReadAsync(client, instance, cancellationToken) is { } timeline
            ? Responses.Json(timeline)
            : Responses.Problem(StatusCodes.Status404NotFound, $"There is no orchestration '{instance}' (any more).", "instance");
}
