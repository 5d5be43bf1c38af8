using FunctionsPipeline.FunctionApp.Models;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Mvc;
using Microsoft.Azure.Functions.Worker;

namespace FunctionsPipeline.FunctionApp.Http;

/// <summary>Endpoints for models.</summary>
public sealed class ModelEndpoints(ModelRegistry models)
{
    /// <summary><c>GET /api/models/current</c>: the serving model.</summary>
    [Function(nameof(GetCurrentModel))]
    public async Task<IActionResult> GetCurrentModel(
        [HttpTrigger(AuthorizationLevel.Function, "get", Route = "models/current")] HttpRequest request,
        CancellationToken cancellationToken) =>
        await models.CurrentAsync(cancellationToken) is { } current
            ? Responses.Json(current)
            : Responses.Problem(StatusCodes.Status404NotFound, "No model serves yet; the first run that ends well publishes one.");
}
