using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Mvc;
using Microsoft.Azure.Functions.Worker;
using Microsoft.DurableTask;
using Microsoft.DurableTask.Client;
using FromBodyAttribute = Microsoft.Azure.Functions.Worker.Http.FromBodyAttribute;

namespace FunctionsPipeline.Tests.LocalHost.Functions;

/// <summary>HTTP functions.</summary>
public static class HttpApi
{
    public sealed record Order(string Item, int Count);

    [Function(nameof(Echo))]
    public static IActionResult Echo([HttpTrigger(AuthorizationLevel.Anonymous, "get", Route = "items/{name}/{number:int}")] HttpRequest request,
        string name, int number, FunctionContext context) =>
        new OkObjectResult(new { name, number, Query = request.Query["q"].ToString(), Same = ReferenceEquals(context.GetHttpContext(), request.HttpContext) });

    [Function(nameof(Take))]
    public static IResult Take([HttpTrigger(AuthorizationLevel.Function, "post", Route = "orders")] HttpRequest request, [FromBody] Order order) =>
        Results.Created($"/orders/{order.Item}", order);

    [Function(nameof(Plain))]
    public static async Task<Order> Plain([HttpTrigger("get")] HttpRequest request, CancellationToken cancellation)
    {
        await Task.Delay(1, cancellation);
        return new Order("hat", 2);
    }

    [Function(nameof(Typed))]
    public static IActionResult Typed([HttpTrigger("get", Route = "typed/{id}")] HttpRequest request, Guid id) => new OkObjectResult(id);

    [Function(nameof(Breaks))]
    public static IActionResult Breaks([HttpTrigger("get")] HttpRequest request) => throw new InvalidDataException("the shelf is empty");

    [Function(nameof(Begin))]
    public static async Task<IActionResult> Begin([HttpTrigger("post", Route = "begin/{id}")] HttpRequest request, string id,
        [DurableClient] DurableTaskClient client, FunctionContext context)
    {
        await client.ScheduleNewOrchestrationInstanceAsync(nameof(Orchestrators.Approval), TimeSpan.FromDays(1), new StartOrchestrationOptions(id));
        var payload = client.CreateHttpManagementPayload(id, await context.GetHttpRequestDataAsync());
        return new AcceptedResult(payload.StatusQueryGetUri, payload);
    }
}
