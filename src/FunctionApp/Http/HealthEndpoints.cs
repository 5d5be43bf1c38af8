using Azure;
using Azure.Identity;
using Azure.Storage.Blobs;
using FunctionsPipeline.Contracts;
using FunctionsPipeline.FunctionApp.Predictions;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Mvc;
using Microsoft.Azure.Functions.Worker;

namespace FunctionsPipeline.FunctionApp.Http;

/// <summary>
/// State of the services that the app depends on. Without storage it cannot work; without the GPU worker it cannot predict.
/// </summary>
public sealed record Health(string Storage, string Worker);

/// <summary>
/// Reports the health of storage and GPU worker: in one word to anonymous callers, with reasons to callers that have a key.
/// </summary>
public sealed class HealthEndpoints(BlobServiceClient blobs, PredictionClient worker)
{
    private const string Ok = "ok";
    private const string Unreachable = "unreachable";
    private static readonly TimeSpan StorageTimeout = TimeSpan.FromSeconds(5);

    /// <summary>
    /// <c>GET /api/health</c>: <c>ok</c> or <c>unreachable</c> for each service, without details, as the endpoint is anonymous.
    /// </summary>
    [Function(nameof(GetHealth))]
    public async Task<IActionResult> GetHealth(
        [HttpTrigger(AuthorizationLevel.Anonymous, "get", Route = "health")] HttpRequest request,
        CancellationToken cancellationToken)
    {
        var health = await CheckAsync(cancellationToken);
        return Respond(new Health(Word(health.Storage), Word(health.Worker)));

        static string Word(string detail) => detail == Ok ? Ok : Unreachable;
    }

    /// <summary><c>GET /api/health/details</c>: <c>ok</c> or the error of each service.</summary>
    [Function(nameof(GetHealthDetails))]
    public async Task<IActionResult> GetHealthDetails(
        [HttpTrigger(AuthorizationLevel.Function, "get", Route = "health/details")] HttpRequest request,
        CancellationToken cancellationToken) =>
        Respond(await CheckAsync(cancellationToken));

    private static ContentResult Respond(Health health) =>
        Responses.Json(health, health.Storage == Ok ? StatusCodes.Status200OK : StatusCodes.Status503ServiceUnavailable);

    private async Task<Health> CheckAsync(CancellationToken cancellationToken)
    {
        var storage = StorageAsync(cancellationToken);
        return new Health(await storage, await worker.HealthAsync(cancellationToken));
    }

    private async Task<string> StorageAsync(CancellationToken cancellationToken)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limit.CancelAfter(StorageTimeout);
        try
        {
            var exists = await blobs.GetBlobContainerClient(Containers.Runs).ExistsAsync(limit.Token);
            return exists ? Ok : $"container {Containers.Runs} is missing";
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            return "does not answer";
        }
        catch (Exception e) when (e is RequestFailedException or AggregateException or AuthenticationFailedException)
        {
            return $"unreachable: {e.Message}";
        }
    }
}
