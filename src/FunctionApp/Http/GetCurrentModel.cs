using FunctionsPipeline.FunctionApp.Models;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Mvc;
using Microsoft.Azure.Functions.Worker;

namespace FunctionsPipeline.FunctionApp.Http;

/// <summary><c>GET /api/models/current</c>: the serving model.</summary>
public sealed class GetCurrentModel(ModelRegistry models)
{
    [Function(nameof(GetCurrentModel))]
    public async Task<IActionResult> RunAsync(
        [HttpTrigger(AuthorizationLevel.Function, "get", Route = "models/current")] HttpRequest request, CancellationToken cancellationToken) =>
        await models.CurrentAsync(cancellationToken) is { } current
            ? Answers.Json(current)
            : Answers.Problem(StatusCodes.Status404NotFound, "No model serves yet; the first run that ends well publishes one.");
}
