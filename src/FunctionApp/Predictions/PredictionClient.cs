using System.Net;
using System.Net.Http.Json;
using FunctionsPipeline.Contracts;

namespace FunctionsPipeline.FunctionApp.Predictions;

/// <summary>Asks the GPU worker what an image shows.</summary>
/// <param name="http">With the worker's address as its base address.</param>
public sealed class PredictionClient(HttpClient http)
{
    private const int QuotedCharacters = 500;
    private static readonly TimeSpan HealthPatience = TimeSpan.FromSeconds(5);

    /// <summary>Asks for a prediction. Null when the blob was changed (412) or deleted (404) since.</summary>
    /// <exception cref="HttpRequestException">The worker cannot be reached or cannot answer now; try again later.</exception>
    public async Task<PredictionDocument?> PredictAsync(PredictRequest request, CancellationToken cancellation)
    {
        using var response = await http.PostAsJsonAsync("predict", request, PipelineJson.Compact, cancellation);
        if (response.StatusCode is HttpStatusCode.NotFound or HttpStatusCode.PreconditionFailed) return null;
        if (!response.IsSuccessStatusCode)
        {
            var said = await response.Content.ReadAsStringAsync(cancellation);
            throw new HttpRequestException(
                $"The GPU worker at {http.BaseAddress} answered {(int)response.StatusCode} for '{request.Blob}': {said[..Math.Min(said.Length, QuotedCharacters)]}",
                null, response.StatusCode);
        }
        return await response.Content.ReadFromJsonAsync<PredictionDocument>(PipelineJson.Compact, cancellation)
            ?? throw new HttpRequestException($"The GPU worker at {http.BaseAddress} answered null for '{request.Blob}'.");
    }

    /// <summary>Whether the worker answers: <c>ok</c>, or what it does instead.</summary>
    public async Task<string> HealthAsync(CancellationToken cancellation)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        limit.CancelAfter(HealthPatience);
        try
        {
            using var response = await http.GetAsync("healthz", limit.Token);
            return response.IsSuccessStatusCode ? "ok" : $"answers {(int)response.StatusCode}";
        }
        catch (OperationCanceledException) when (!cancellation.IsCancellationRequested)
        {
            return "does not answer";
        }
        catch (HttpRequestException e)
        {
            return $"unreachable: {e.Message}";
        }
    }
}
