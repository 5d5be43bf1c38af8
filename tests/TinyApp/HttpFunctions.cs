using System.Text.Json;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Mvc;
using Microsoft.Azure.Functions.Worker;
using Microsoft.DurableTask;
using Microsoft.DurableTask.Client;

namespace FunctionsPipeline.TinyApp;

/// <summary>HTTP functions, anonymous and with a key.</summary>
public static class HttpFunctions
{
    /// <summary>Greets with the greeting in the query.</summary>
    [Function(nameof(Greet))]
    public static IActionResult Greet(
        [HttpTrigger(AuthorizationLevel.Anonymous, "get", Route = "greet/{name}")] HttpRequest request, string name) =>
        new OkObjectResult($"{request.Query["greeting"]} {name}");

    /// <summary>Returns the parts of the request.</summary>
    [Function(nameof(Echo))]
    public static async Task<IActionResult> Echo(
        [HttpTrigger(AuthorizationLevel.Function, "put", "post", Route = "echo/{number:int}/{*path}")] HttpRequest request,
        int number, string? path, CancellationToken cancellationToken)
    {
        using var reader = new StreamReader(request.Body);
        var body = await reader.ReadToEndAsync(cancellationToken);
        request.HttpContext.Response.Headers["x-tiny"] = request.Headers["x-tiny"];
        return new AcceptedResult("", new Echoed(request.Method, number, path, body));
    }

    /// <summary>Always fails.</summary>
    [Function(nameof(Throws))]
    public static IActionResult Throws([HttpTrigger(AuthorizationLevel.Anonymous)] HttpRequest request) =>
        throw new InvalidDataException($"{request.Method} is not what it wants");

    /// <summary>Returns the process id of the worker.</summary>
    [Function(nameof(ProcessId))]
    public static IActionResult ProcessId([HttpTrigger(AuthorizationLevel.Anonymous, "get")] HttpRequest request) =>
        new OkObjectResult(JsonSerializer.Serialize(Environment.ProcessId));

    /// <summary>Response body of <see cref="Echo"/>.</summary>
    public sealed record Echoed(string Method, int Number, string? Path, string Body);
}

public static class StartOrchestration
{
    /// <summary>Starts an orchestration with the request's JSON body as input.</summary>
    /// <returns>The URLs of its management API; the header <c>x-trace</c> has the trace parent of the function.</returns>
    [Function("Start")]
    public static async Task<IActionResult> RunAsync(
        [HttpTrigger(AuthorizationLevel.Anonymous, "post", Route = "orchestrations/{name}")] HttpRequest request,
        [DurableClient] DurableTaskClient client, string name, FunctionContext context, CancellationToken cancellationToken)
    {
        var input = await JsonSerializer.DeserializeAsync<JsonElement>(request.Body, cancellationToken: cancellationToken);
        var options = new StartOrchestrationOptions(request.Query["id"].FirstOrDefault());
        var id = await client.ScheduleNewOrchestrationInstanceAsync(name, input, options, cancellationToken);
        request.HttpContext.Response.Headers["x-trace"] = context.TraceContext.TraceParent;
        return new AcceptedResult("", client.CreateHttpManagementPayload(id, await context.GetHttpRequestDataAsync()));
    }
}
