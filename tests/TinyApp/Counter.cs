using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Mvc;
using Microsoft.Azure.Functions.Worker;
using Microsoft.DurableTask.Client;
using Microsoft.DurableTask.Entities;

namespace FunctionsPipeline.TinyApp;

/// <summary>Entity that counts.</summary>
public sealed class Counter : TaskEntity<int>
{
    public int Add(int amount) => State += amount;

    [Function(nameof(Counter))]
    public static Task Run([EntityTrigger] TaskEntityDispatcher dispatcher) => dispatcher.DispatchAsync<Counter>();

    /// <summary>Adds to a counter on POST and returns its count on GET.</summary>
    [Function(nameof(Counters))]
    public static async Task<IActionResult> Counters(
        [HttpTrigger(AuthorizationLevel.Anonymous, "get", "post", Route = "counters/{key}")] HttpRequest request,
        [DurableClient] DurableTaskClient client, string key, CancellationToken cancellationToken)
    {
        var id = new EntityInstanceId(nameof(Counter), key);
        if (HttpMethods.IsPost(request.Method))
        {
            var amount = int.Parse(request.Query["add"]!, null);
            await client.Entities.SignalEntityAsync(id, nameof(Add), amount, cancellation: cancellationToken);
            return new AcceptedResult();
        }
        var entity = await client.Entities.GetEntityAsync<int>(id, cancellationToken);
        return entity is null ? new NotFoundResult() : new OkObjectResult(entity.State);
    }
}
