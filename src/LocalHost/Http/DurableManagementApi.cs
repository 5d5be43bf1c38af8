using System.Globalization;
using System.Text.Json;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Extensions;
using Microsoft.AspNetCore.Routing;
using Microsoft.DurableTask.Client;

namespace FunctionsPipeline.LocalHost.Http;

/// <summary>
/// The HTTP API of the Durable Functions extension, with its URLs, status codes and JSON:
/// <see href="https://learn.microsoft.com/azure/azure-functions/durable/durable-functions-http-api"/>.
/// </summary>
internal static class DurableManagementApi
{
    private const string Instances = "/runtime/webhooks/durabletask/instances";

    /// <summary>The extension writes the members of a status always, null or not.</summary>
    private static readonly JsonSerializerOptions Json = new(JsonSerializerDefaults.Web);

    public static void Map(IEndpointRouteBuilder routes)
    {
        routes.MapGet(Instances, ListAsync);
        routes.MapGet($"{Instances}/{{id}}", GetAsync);
        routes.MapDelete($"{Instances}/{{id}}", PurgeAsync);
        routes.MapPost($"{Instances}/{{id}}/raiseEvent/{{eventName}}", RaiseEventAsync);
        routes.MapPost($"{Instances}/{{id}}/terminate", (string id, string? reason, DurableTaskClient client) =>
            SteerAsync(client, id, () => client.TerminateInstanceAsync(id, new TerminateInstanceOptions(reason))));
        routes.MapPost($"{Instances}/{{id}}/suspend", (string id, string? reason, DurableTaskClient client) =>
            SteerAsync(client, id, () => client.SuspendInstanceAsync(id, reason)));
        routes.MapPost($"{Instances}/{{id}}/resume", (string id, string? reason, DurableTaskClient client) =>
            SteerAsync(client, id, () => client.ResumeInstanceAsync(id, reason)));
    }

    private static async Task<IResult> ListAsync(DurableTaskClient client, string? instanceIdPrefix, string? runtimeStatus,
        DateTimeOffset? createdTimeFrom, DateTimeOffset? createdTimeTo, int? top, bool showInput = true)
    {
        var statuses = new List<OrchestrationRuntimeStatus>();
        foreach (var word in runtimeStatus?.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries) ?? [])
        {
            if (!Enum.TryParse<OrchestrationRuntimeStatus>(word, ignoreCase: true, out var status))
                return Results.BadRequest($"'{word}' is no runtimeStatus.");
            statuses.Add(status);
        }
        var query = new OrchestrationQuery(
            createdTimeFrom, createdTimeTo, statuses, InstanceIdPrefix: instanceIdPrefix, FetchInputsAndOutputs: true);
        var found = new List<object>();
        await foreach (var instance in client.GetAllInstancesAsync(query))
        {
            if (found.Count == (top ?? int.MaxValue)) break;
            found.Add(Describe(instance, showInput));
        }
        return Results.Json(found, Json);
    }

    private static async Task<IResult> GetAsync(HttpContext http, DurableTaskClient client, string id, bool showInput = true,
        bool returnInternalServerErrorOnFailure = false)
    {
        if (await client.GetInstanceAsync(id, getInputsAndOutputs: true) is not { } instance) return Results.NotFound();
        if (instance.IsCompleted)
        {
            var failed = instance.RuntimeStatus == OrchestrationRuntimeStatus.Failed && returnInternalServerErrorOnFailure;
            var code = failed ? StatusCodes.Status500InternalServerError : StatusCodes.Status200OK;
            return Results.Json(Describe(instance, showInput), Json, statusCode: code);
        }
        http.Response.Headers.Location = http.Request.GetEncodedUrl();
        http.Response.Headers.RetryAfter = "5";
        return Results.Json(Describe(instance, showInput), Json, statusCode: StatusCodes.Status202Accepted);
    }

    private static async Task<IResult> PurgeAsync(DurableTaskClient client, string id)
    {
        var purged = await client.PurgeInstanceAsync(id);
        return purged.PurgedInstanceCount == 0 ? Results.NotFound() : Results.Json(new { InstancesDeleted = purged.PurgedInstanceCount }, Json);
    }

    private static async Task<IResult> RaiseEventAsync(HttpRequest request, DurableTaskClient client, string id, string eventName)
    {
        object? payload = null;
        if (request.ContentLength is null or > 0)
        {
            if (!request.HasJsonContentType()) return Results.BadRequest("Only application/json request content is supported");
            try
            {
                payload = await request.ReadFromJsonAsync<JsonElement>();
            }
            catch (JsonException e)
            {
                return Results.BadRequest($"Invalid JSON content: {e.Message}");
            }
        }
        return await SteerAsync(client, id, () => client.RaiseEventAsync(id, eventName, payload));
    }

    private static async Task<IResult> SteerAsync(DurableTaskClient client, string id, Func<Task> action)
    {
        if (await client.GetInstanceAsync(id) is not { } instance) return Results.NotFound();
        if (instance.IsCompleted) return Results.StatusCode(StatusCodes.Status410Gone);
        await action();
        return Results.Accepted();
    }

    private static object Describe(OrchestrationMetadata instance, bool showInput) => new
    {
        instance.Name,
        instance.InstanceId,
        RuntimeStatus = instance.RuntimeStatus.ToString(),
        Input = showInput ? Raw(instance.SerializedInput) : null,
        CustomStatus = Raw(instance.SerializedCustomStatus),
        Output = instance.FailureDetails is { } failure ? failure.ErrorMessage : (object?)Raw(instance.SerializedOutput),
        CreatedTime = Time(instance.CreatedAt),
        LastUpdatedTime = Time(instance.LastUpdatedAt),
    };

    private static JsonElement? Raw(string? json) => json is null ? null : JsonSerializer.Deserialize<JsonElement>(json);

    private static string Time(DateTimeOffset time) => time.UtcDateTime.ToString("s", CultureInfo.InvariantCulture) + "Z";
}
