using FunctionsPipeline.LocalHost.Functions;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Extensions;
using Microsoft.AspNetCore.Routing;
using Microsoft.Azure.Functions.Worker;

namespace FunctionsPipeline.LocalHost.Http;

/// <summary>What the host says of itself: the list of functions, and whether it is ready.</summary>
internal static class HostPages
{
    public static void Map(IEndpointRouteBuilder routes, FunctionCatalog catalog, HostSettings settings)
    {
        routes.MapGet("/", (HttpRequest request) => Results.Json(new
        {
            Functions = catalog.All.Select(f => new { f.Name, Trigger = f.TriggerKind, Source = Source(f, request, settings) }),
            Instances = $"{Root(request)}/runtime/webhooks/durabletask/instances",
        }));
        routes.MapGet("/admin/host/status", () => Results.Json(new { State = "Running" }));
    }

    private static string? Source(FunctionDescriptor function, HttpRequest request, HostSettings settings) => function.Trigger switch
    {
        HttpTriggerAttribute http => $"{Methods(http)} {Root(request)}{HttpFunctions.Route(function, settings)}",
        BlobTriggerAttribute blob => blob.BlobPath,
        _ => null,
    };

    private static string Methods(HttpTriggerAttribute trigger) =>
        trigger.Methods is { Length: > 0 } methods ? string.Join(',', methods).ToUpperInvariant() : "ANY";

    private static string Root(HttpRequest request) => UriHelper.BuildAbsolute(request.Scheme, request.Host).TrimEnd('/');
}
