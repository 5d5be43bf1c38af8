using System.Globalization;
using System.Text.Json;
using Azure;
using FunctionsPipeline.FunctionApp.Runs;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Mvc;
using Microsoft.Azure.Functions.Worker;
using Microsoft.DurableTask.Client;

namespace FunctionsPipeline.FunctionApp.Http;

/// <summary>Read-only endpoints for runs.</summary>
public sealed class ReadRuns(RunState state, RunIndex index)
{
    /// <summary>
    /// <c>GET /api/runs?top=&amp;continuation=&amp;status=&amp;createdFrom=&amp;createdTo=</c>: a page of runs, newest first.
    /// </summary>
    [Function(nameof(ListRuns))]
    public async Task<IActionResult> ListRuns(
        [HttpTrigger(AuthorizationLevel.Function, "get", Route = "runs")] HttpRequest request,
        [DurableClient] DurableTaskClient client,
        CancellationToken cancellationToken)
    {
        var errors = new FieldErrors();
        var query = RunQuery.Read(request.Query, errors);
        if (errors.All is { Count: > 0 } all) return Answers.Problem(all);
        try
        {
            return Answers.Json(await RunViews.ListAsync(client, index, query, cancellationToken));
        }
        catch (RequestFailedException e) when (e.Status == StatusCodes.Status400BadRequest && query.Continuation is not null)
        {
            return Answers.Problem(StatusCodes.Status400BadRequest, "continuation must be the one of an earlier answer.", "continuation");
        }
    }

    /// <summary><c>GET /api/runs/{run}</c>: the state of a run.</summary>
    [Function(nameof(GetRun))]
    public async Task<IActionResult> GetRun(
        [HttpTrigger(AuthorizationLevel.Function, "get", Route = "runs/{run}")] HttpRequest request,
        string run,
        [DurableClient] DurableTaskClient client,
        CancellationToken cancellationToken) =>
        await RunViews.GetAsync(client, run, cancellationToken) is { } view ? Answers.Json(view) : Answers.NoRun(run);

    /// <summary>
    /// <c>GET /api/runs/{run}/metrics?afterStep=</c>: the metrics written so far, or those of later steps, as JSON lines with an ETag. A
    /// request with that ETag as <c>If-None-Match</c> gets 304 until there are more.
    /// </summary>
    [Function(nameof(GetMetrics))]
    public async Task<IActionResult> GetMetrics(
        [HttpTrigger(AuthorizationLevel.Function, "get", Route = "runs/{run}/metrics")] HttpRequest request,
        string run,
        [DurableClient] DurableTaskClient client,
        CancellationToken cancellationToken)
    {
        int? afterStep = null;
        if (request.Query["afterStep"].LastOrDefault() is { Length: > 0 } text)
        {
            if (!int.TryParse(text, CultureInfo.InvariantCulture, out var step))
                return Answers.Problem(StatusCodes.Status400BadRequest, $"afterStep is '{text}', must be a number.", "afterStep");
            afterStep = step;
        }
        if (!await RunViews.ExistsAsync(client, run, cancellationToken)) return Answers.NoRun(run);
        var known = request.GetTypedHeaders().IfNoneMatch is [{ Tag: var tag }] ? new ETag(tag.ToString()) : (ETag?)null;
        if (await state.MetricsAsync(run, known, cancellationToken) is not { } metrics) return Answers.Lines("");
        var headers = request.HttpContext.Response.Headers;
        headers.ETag = metrics.ETag.ToString("H");
        headers.CacheControl = "no-cache";
        if (metrics.Lines is not { } lines) return new StatusCodeResult(StatusCodes.Status304NotModified);
        return Answers.Lines(afterStep is { } after ? After(after, lines.ToString()) : lines.ToString());
    }

    private static string After(int step, string lines) => string.Concat(
        lines.Split('\n', StringSplitOptions.RemoveEmptyEntries)
            .Where(line => JsonSerializer.Deserialize<StepOfLine>(line, JsonSerializerOptions.Web)?.Step > step)
            .Select(line => $"{line}\n"));

    private sealed record StepOfLine(int Step);
}
