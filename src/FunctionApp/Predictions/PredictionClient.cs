using System.Diagnostics;
using System.Net;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Net.Mime;
using System.Net.ServerSentEvents;
using System.Text.Json;
using FunctionsPipeline.Contracts;

namespace FunctionsPipeline.FunctionApp.Predictions;

/// <summary>HTTP client of the GPU worker's prediction endpoints.</summary>
/// <param name="http">Client with the worker's URL as base address; none when the setting is missing.</param>
/// <param name="timeout">Time limit of one prediction.</param>
public sealed class PredictionClient(HttpClient http, TimeSpan timeout, TimeProvider time)
{
    private const string NoUrl = "The setting Worker:Url is missing: where the GPU worker answers, such as http://127.0.0.1:8080.";
    private const string Ok = "ok";
    private const int QuotedCharacters = 500;
    private static readonly TimeSpan HealthTimeout = TimeSpan.FromSeconds(5);

    // Less than Container Apps keep a replica without requests.
    private static readonly TimeSpan AwakeTime = TimeSpan.FromMinutes(1);

    private long _answeredAt;

    private bool IsAwake => Volatile.Read(ref _answeredAt) is not 0 and var answered && time.GetElapsedTime(answered) < AwakeTime;

    /// <summary>Requests the prediction for an image in storage. Every state of the worker is an answer, none an exception.</summary>
    public async Task<WorkerAnswer> PredictAsync(PredictRequest request, CancellationToken cancellationToken)
    {
        // HttpClient sends the current span as the trace context, so that the worker continues this trace.
        using var span = PipelineTracing.Source.StartActivity("ask the GPU worker", ActivityKind.Client);
        span?.SetTag("pipeline.image", request.Blob);
        using var message = Message(JsonContent.Create(request, options: PipelineJson.Compact));
        return await AskAsync(message, ReadAsync, cancellationToken);
    }

    /// <summary>Requests the prediction for an image that is not in storage.</summary>
    public async Task<WorkerAnswer> PredictAsync(ReadOnlyMemory<byte> image, CancellationToken cancellationToken)
    {
        using var message = Message(image);
        return await AskAsync(message, ReadAsync, cancellationToken);
    }

    /// <summary>
    /// Requests the prediction for an image that is not in storage piece by piece, and hands on each of the worker's
    /// <see cref="PredictionEvents"/> as it comes.
    /// </summary>
    /// <param name="send">Receives an event's name and data.</param>
    /// <returns>An answer without a prediction when the last event was handed on; otherwise as of a request for all at once.</returns>
    public async Task<WorkerAnswer> StreamAsync(
        ReadOnlyMemory<byte> image, Func<string, string, Task> send, CancellationToken cancellationToken)
    {
        using var message = Message(image);
        message.Headers.Accept.Add(new MediaTypeWithQualityHeaderValue(PredictionEvents.MediaType));
        return await AskAsync(message, async (response, token) =>
        {
            // A worker of an earlier version answers at once.
            if (response.Content.Headers.ContentType?.MediaType != PredictionEvents.MediaType) return await ReadAsync(response, token);
            await foreach (var item in SseParser.Create(await response.Content.ReadAsStreamAsync(token)).EnumerateAsync(token))
            {
                await send(item.EventType, item.Data);
                if (item.EventType is PredictionEvents.Prediction or PredictionEvents.Problem)
                    return new WorkerAnswer(ReadingState.Answered);
            }
            throw new HttpIOException(HttpRequestError.ResponseEnded, "the answer has no end");
        }, cancellationToken);
    }

    /// <summary>Asks the worker to load the serving model, without waiting for it.</summary>
    public async Task WarmAsync(CancellationToken cancellationToken)
    {
        if (http.BaseAddress is null) return;
        try
        {
            using var limit = Limit(HealthTimeout, cancellationToken);
            using var response = await http.PostAsync("warm", null, limit.Token);
        }
        catch (Exception e) when (e is HttpRequestException or OperationCanceledException && !cancellationToken.IsCancellationRequested)
        {
            // The request alone wakes a worker that has scaled to zero, and whoever waits asks again.
        }
    }

    /// <summary>Checks the worker's health: <c>ok</c>, or a description of the problem.</summary>
    public async Task<string> HealthAsync(CancellationToken cancellationToken)
    {
        if (http.BaseAddress is null) return NoUrl;
        using var limit = Limit(HealthTimeout, cancellationToken);
        try
        {
            using var response = await http.GetAsync("livez", limit.Token);
            return response.IsSuccessStatusCode ? Ok : $"answers {(int)response.StatusCode}";
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

    private static HttpRequestMessage Message(HttpContent content) => new(HttpMethod.Post, "predict") { Content = content };

    private static HttpRequestMessage Message(ReadOnlyMemory<byte> image)
    {
        var content = new ReadOnlyMemoryContent(image);
        content.Headers.ContentType = new MediaTypeHeaderValue(MediaTypeNames.Application.Octet);
        return Message(content);
    }

    private async Task<WorkerAnswer> AskAsync(
        HttpRequestMessage message, Func<HttpResponseMessage, CancellationToken, Task<WorkerAnswer>> read,
        CancellationToken cancellationToken)
    {
        if (http.BaseAddress is null) return new WorkerAnswer(ReadingState.Away, NoUrl);
        // Container Apps hold a request to an app without replicas until one has started, for up to four minutes, and cut it then: that
        // would look as if the image had stopped the worker.
        if (!IsAwake && await HealthAsync(cancellationToken) is var health and not Ok)
            return new WorkerAnswer(ReadingState.Away, $"The GPU worker at {http.BaseAddress} is away or starts: {health}.");
        using var limit = Limit(timeout, cancellationToken);
        try
        {
            using var response = await http.SendAsync(message, HttpCompletionOption.ResponseHeadersRead, limit.Token);
            if (response.StatusCode < HttpStatusCode.InternalServerError) Volatile.Write(ref _answeredAt, time.GetTimestamp());
            if (!response.IsSuccessStatusCode) return await RefusalAsync(response, limit.Token);
            return await read(response, limit.Token);
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            Volatile.Write(ref _answeredAt, 0);
            // The client's own limit covers the connection alone, and counts as a worker that is away.
            return limit.IsCancellationRequested
                ? new WorkerAnswer(ReadingState.Broken, $"The GPU worker did not answer within {timeout.TotalSeconds:0} s.")
                : new WorkerAnswer(ReadingState.Away, $"The GPU worker at {http.BaseAddress} cannot be reached in time.");
        }
        catch (HttpRequestException e)
        {
            return e.HttpRequestError is HttpRequestError.ConnectionError or HttpRequestError.NameResolutionError
                or HttpRequestError.SecureConnectionError or HttpRequestError.ProxyTunnelError
                ? new WorkerAnswer(ReadingState.Away, $"The GPU worker at {http.BaseAddress} cannot be reached: {e.Message}")
                : Died(e);
        }
        catch (IOException e)
        {
            return Died(e);
        }
        catch (JsonException e)
        {
            return new WorkerAnswer(ReadingState.Away, $"The GPU worker at {http.BaseAddress} answered no prediction: {e.Message}");
        }
    }

    private async Task<WorkerAnswer> ReadAsync(HttpResponseMessage response, CancellationToken cancellationToken) =>
        await response.Content.ReadFromJsonAsync<Prediction>(PipelineJson.Compact, cancellationToken) is { } prediction
            ? new WorkerAnswer(ReadingState.Answered) { Prediction = prediction }
            : new WorkerAnswer(ReadingState.Away, $"The GPU worker at {http.BaseAddress} answered null.");

    private static WorkerAnswer Died(Exception e) =>
        new(ReadingState.Broken, $"The connection to the GPU worker broke during the prediction: {e.Message}");

    private async Task<WorkerAnswer> RefusalAsync(HttpResponseMessage response, CancellationToken cancellationToken)
    {
        var state = response.StatusCode switch
        {
            HttpStatusCode.NotFound or HttpStatusCode.PreconditionFailed => ReadingState.Superseded,
            HttpStatusCode.TooManyRequests => ReadingState.Busy,
            HttpStatusCode.ServiceUnavailable => ReadingState.NotReady,
            _ => ReadingState.Away,
        };
        var body = await response.Content.ReadAsStringAsync(cancellationToken);
        var quoted = Detail(body) ?? body[..Math.Min(body.Length, QuotedCharacters)];
        var advice = response.StatusCode is HttpStatusCode.Unauthorized or HttpStatusCode.Forbidden ? " Check the setting Worker:Key." : "";
        return new WorkerAnswer(state, $"The GPU worker answered {(int)response.StatusCode}: {quoted}{advice}")
        {
            RetryAfter = response.Headers.RetryAfter?.Delta,
        };
    }

    private static string? Detail(string body)
    {
        try
        {
            return JsonSerializer.Deserialize<ProblemDetail>(body, JsonSerializerOptions.Web)?.Detail;
        }
        catch (JsonException)
        {
            return null;
        }
    }

    private static CancellationTokenSource Limit(TimeSpan limit, CancellationToken cancellationToken)
    {
        var source = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        source.CancelAfter(limit);
        return source;
    }

    private sealed record ProblemDetail(string? Detail);
}

/// <summary>State of an image after the worker was asked for it.</summary>
public enum ReadingState
{
    /// <summary>The worker answered, or a document exists.</summary>
    Answered,

    /// <summary>The image was changed or deleted in the meantime.</summary>
    Superseded,

    /// <summary>The worker, or this app's share of it, has as much to do as it takes.</summary>
    Busy,

    /// <summary>The worker has no model yet.</summary>
    NotReady,

    /// <summary>The worker cannot be reached, or fails whatever the image.</summary>
    Away,

    /// <summary>The worker died or ran out of time while it read the image.</summary>
    Broken,
}

/// <summary>Answer of the worker, or the reason why there is none.</summary>
/// <param name="Reason">The reason; null when answered.</param>
public sealed record WorkerAnswer(ReadingState State, string? Reason = null)
{
    /// <summary>The prediction; null unless <see cref="ReadingState.Answered"/>, and when it was streamed.</summary>
    public Prediction? Prediction { get; init; }

    /// <summary>Pause that the worker asks for.</summary>
    public TimeSpan? RetryAfter { get; init; }
}
