using System.Diagnostics;
using System.Net;
using System.Net.Http.Json;
using FunctionsPipeline.Contracts;

namespace FunctionsPipeline.FunctionApp.Predictions;

/// <summary>HTTP client of the GPU worker's prediction endpoint.</summary>
/// <param name="http">Client with the worker's URL as base address; none when the setting is missing.</param>
public sealed class PredictionClient(HttpClient http)
{
    private const string NoUrl = "The setting Worker:Url is missing: where the GPU worker answers, such as http://127.0.0.1:8080.";
    private const int QuotedCharacters = 500;
    private static readonly TimeSpan HealthPatience = TimeSpan.FromSeconds(5);

    /// <summary>Requests a prediction. Null when the blob was changed (412) or deleted (404) in the meantime.</summary>
    /// <exception cref="HttpRequestException">The worker cannot be reached or cannot answer now; retry later.</exception>
    /// <exception cref="PermanentFailureException">The setting <c>Worker:Url</c> is missing.</exception>
    public async Task<PredictionDocument?> PredictAsync(PredictRequest request, CancellationToken cancellationToken)
    {
        if (http.BaseAddress is null) throw new PermanentFailureException(NoUrl);
        // HttpClient sends the current span as the trace context, so that the worker continues this trace.
        using var span = PipelineTracing.Source.StartActivity("ask the GPU worker", ActivityKind.Client);
        span?.SetTag("pipeline.image", request.Blob);
        using var response = await http.PostAsJsonAsync("predict", request, PipelineJson.Compact, cancellationToken);
        if (response.StatusCode is HttpStatusCode.NotFound or HttpStatusCode.PreconditionFailed) return null;
        if (!response.IsSuccessStatusCode)
        {
            var said = await response.Content.ReadAsStringAsync(cancellationToken);
            throw new HttpRequestException(
                $"The GPU worker at {http.BaseAddress} answered {(int)response.StatusCode} for '{request.Blob}': {said[..Math.Min(said.Length, QuotedCharacters)]}",
                null, response.StatusCode);
        }
        return await response.Content.ReadFromJsonAsync<PredictionDocument>(PipelineJson.Compact, cancellationToken)
            ?? throw new HttpRequestException($"The GPU worker at {http.BaseAddress} answered null for '{request.Blob}'.");
    }

    /// <summary>Checks the worker's health: <c>ok</c>, or a description of the problem.</summary>
    public async Task<string> HealthAsync(CancellationToken cancellationToken)
    {
        if (http.BaseAddress is null) return NoUrl;
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limit.CancelAfter(HealthPatience);
        try
        {
            using var response = await http.GetAsync("healthz", limit.Token);
            return response.IsSuccessStatusCode ? "ok" : $"answers {(int)response.StatusCode}";
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            return "does not answer";
        }
        catch (HttpRequestException e)
        {
            return $"unreachable: {e.Message}";
        }
    }
}
