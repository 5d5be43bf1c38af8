using FunctionsPipeline.Contracts;
using FunctionsPipeline.FunctionApp.Models;
using FunctionsPipeline.FunctionApp.Predictions;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Mvc;
using Microsoft.Azure.Functions.Worker;
using Microsoft.DurableTask.Client;

namespace FunctionsPipeline.FunctionApp.Http;

/// <summary>Endpoints that list models and change the one that serves.</summary>
public sealed class ModelEndpoints(ModelRegistry models, ModelCatalog catalog, TimeProvider time)
{
    private const string Wanted = "an activation, such as {\"reason\": \"the prices of the new model are wrong\"}";
    private const int LongestReason = 1000;

    /// <summary><c>GET /api/models</c>: all complete models with their figures and cards, newest first.</summary>
    [Function(nameof(ListModels))]
    public async Task<IActionResult> ListModels(
        [HttpTrigger(AuthorizationLevel.Function, "get", Route = "models")] HttpRequest request,
        CancellationToken cancellationToken)
    {
        var current = await models.CurrentAsync(cancellationToken);
        return Responses.Json(new ModelList(await catalog.ListAsync(current, cancellationToken)));
    }

    /// <summary><c>GET /api/models/current</c>: the serving model.</summary>
    [Function(nameof(GetCurrentModel))]
    public async Task<IActionResult> GetCurrentModel(
        [HttpTrigger(AuthorizationLevel.Function, "get", Route = "models/current")] HttpRequest request,
        CancellationToken cancellationToken) =>
        await models.CurrentAsync(cancellationToken) is { } current
            ? Responses.Json(current)
            : Responses.Problem(StatusCodes.Status404NotFound, "No model serves yet; the first run that ends well publishes one.");

    /// <summary><c>GET /api/models/history</c>: every change of the serving model, newest first.</summary>
    [Function(nameof(GetModelHistory))]
    public async Task<IActionResult> GetModelHistory(
        [HttpTrigger(AuthorizationLevel.Function, "get", Route = "models/history")] HttpRequest request,
        CancellationToken cancellationToken) =>
        Responses.Json(new ModelChangeList([.. (await models.HistoryAsync(cancellationToken)).Reverse()]));

    /// <summary><c>POST /api/models/{version}/activate</c>: makes another fine-tuned model serve, such as the one before.</summary>
    [Function(nameof(ActivateModel))]
    public async Task<IActionResult> ActivateModel(
        [HttpTrigger(AuthorizationLevel.Function, "post", Route = "models/{version}/activate")] HttpRequest request,
        string version,
        [DurableClient] DurableTaskClient client,
        CancellationToken cancellationToken)
    {
        try
        {
            var activation = await RequestReader.ReadAsync<ActivationRequest>(request.Body, Wanted, cancellationToken);
            var errors = new ValidationErrors();
            errors.Text("reason", activation.Reason, LongestReason);
            if (errors.All is { Count: > 0 } all) return Responses.Problem(all);
            var candidate = await catalog.CandidateAsync(version, time.GetUtcNow(), cancellationToken);
            var current = await models.ActivateAsync(candidate with { Reason = activation.Reason }, cancellationToken);
            await ImageReadings.WakeAsync(client, cancellationToken);
            return Responses.Json(current);
        }
        catch (RequestException e)
        {
            return Responses.Problem(e.Status, e.Message, e.Field);
        }
    }
}
