using System.Text.Json;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Mvc;
using Microsoft.Azure.Functions.Worker;
using Microsoft.DurableTask;
using Microsoft.DurableTask.Client;

namespace FunctionsPipeline.TinyApp;

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
