using Azure;
using Azure.Storage.Blobs;
using FunctionsPipeline.Contracts;
using FunctionsPipeline.FunctionApp.Predictions;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Mvc;
using Microsoft.Azure.Functions.Worker;

namespace FunctionsPipeline.FunctionApp.Http;

/// <summary>Whether the app can work. Without storage it cannot; without the GPU worker uploaded images wait.</summary>
public sealed record Health(string Storage, string Worker);

/// <summary><c>GET /api/health</c>.</summary>
public sealed class GetHealth(BlobServiceClient blobs, PredictionClient worker)
{
    private const string Ok = "ok";

    [Function(nameof(GetHealth))]
    public async Task<IActionResult> RunAsync(
        [HttpTrigger(AuthorizationLevel.Anonymous, "get", Route = "health")] HttpRequest request, CancellationToken cancellation)
    {
        var storage = StorageAsync(cancellation);
        var health = new Health(await storage, await worker.HealthAsync(cancellation));
        return Answers.Json(health, health.Storage == Ok ? StatusCodes.Status200OK : StatusCodes.Status503ServiceUnavailable);
    }

    private async Task<string> StorageAsync(CancellationToken cancellation)
    {
        try
        {
            return await blobs.GetBlobContainerClient(Containers.Runs).ExistsAsync(cancellation) ? Ok : $"container {Containers.Runs} is missing";
        }
        catch (Exception e) when (e is RequestFailedException or AggregateException)
        {
            return $"unreachable: {e.Message}";
        }
    }
}
