using System.Diagnostics;
using System.Reflection;
using System.Text.Json;
using FunctionsPipeline.LocalHost.Functions;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Mvc;
using Microsoft.AspNetCore.Mvc.Abstractions;
using Microsoft.AspNetCore.Routing;
using Microsoft.Azure.Functions.Worker;
using Microsoft.Azure.Functions.Worker.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace FunctionsPipeline.LocalHost.Http;

/// <summary>Serves functions with an HTTP trigger as ASP.NET Core endpoints, like the isolated worker's ASP.NET Core integration.</summary>
internal static class HttpFunctions
{
    /// <summary>Where the worker's ASP.NET Core integration puts the request, so that <c>FunctionContext.GetHttpContext</c> finds it.</summary>
    private const string HttpContextItem = "HttpRequestContext";

    public static void Map(IEndpointRouteBuilder routes, FunctionCatalog catalog, HostSettings settings, ILogger logger)
    {
        foreach (var function in catalog.OfTrigger<HttpTriggerAttribute>())
        {
            Check(function);
            var endpoint = ((HttpTriggerAttribute)function.Trigger).Methods is { Length: > 0 } methods
                ? routes.MapMethods(Route(function, settings), methods, (RequestDelegate)Run)
                : routes.Map(Route(function, settings), Run);
            endpoint.WithDisplayName(function.Name);

            Task Run(HttpContext http) => RunAsync(function, http, logger);
        }
    }

    /// <summary>The route pattern, such as <c>/api/runs/{run}</c>.</summary>
    public static string Route(FunctionDescriptor function, HostSettings settings)
    {
        var route = (((HttpTriggerAttribute)function.Trigger).Route ?? function.Name).Trim('/');
        return settings.RoutePrefix.Length == 0 ? $"/{route}" : $"/{settings.RoutePrefix}/{route}";
    }

    private static void Check(FunctionDescriptor function)
    {
        if (function.TriggerParameter.ParameterType is var type && type != typeof(HttpRequest) && type != typeof(HttpRequestData))
        {
            throw new InvalidOperationException($"Function {function.Name}: [HttpTrigger] goes on an HttpRequest, not on a {type.Name}. " +
                "For the body, add a parameter with [FromBody] of Microsoft.Azure.Functions.Worker.Http.");
        }
    }

    private static async Task RunAsync(FunctionDescriptor function, HttpContext http, ILogger logger)
    {
        var started = Stopwatch.GetTimestamp();
        var stopping = http.RequestServices.GetRequiredService<IHostApplicationLifetime>().ApplicationStopping;
        using var cancellation = CancellationTokenSource.CreateLinkedTokenSource(http.RequestAborted, stopping);
        var context = new LocalFunctionContext(function, http.RequestServices, http.Request.RouteValues, cancellation.Token);
        context.Items[HttpContextItem] = http;
        context.Features.Set<IHttpRequestDataFeature>(new LocalHttpRequestData.Feature(http.Request));
        try
        {
            var body = await ReadBodyAsync(function, http, cancellation.Token);
            var returned = FunctionInvoker.Invoke(context, parameter => Bind(parameter, context, http, body));
            await WriteAsync(http, await FunctionInvoker.Result(returned));
        }
        catch (OperationCanceledException) when (http.RequestAborted.IsCancellationRequested)
        {
            return;
        }
        catch (BindingException e) when (!http.Response.HasStarted)
        {
            await Results.Problem(e.Message, statusCode: StatusCodes.Status400BadRequest).ExecuteAsync(http);
        }
        catch (Exception e) when (!http.Response.HasStarted)
        {
            Logs.FunctionFailed(logger, function.Name, e);
            await Results.Problem($"{e.GetType().Name}: {e.Message}", title: $"Function {function.Name} failed.").ExecuteAsync(http);
        }
        var milliseconds = Stopwatch.GetElapsedTime(started).TotalMilliseconds;
        Logs.Request(logger, http.Request.Method, http.Request.Path, http.Response.StatusCode, milliseconds);
    }

    private static Bound? Bind(ParameterInfo parameter, LocalFunctionContext context, HttpContext http, Bound? body)
    {
        if (parameter.ParameterType == typeof(HttpRequest)) return new Bound(http.Request);
        if (parameter.ParameterType == typeof(HttpRequestData)) return new Bound(new LocalHttpRequestData(context, http.Request));
        return parameter.GetCustomAttribute<Microsoft.Azure.Functions.Worker.Http.FromBodyAttribute>() is not null ? body : null;
    }

    private static async Task<Bound?> ReadBodyAsync(FunctionDescriptor function, HttpContext http, CancellationToken cancellation)
    {
        var parameter = function.Method.GetParameters()
            .FirstOrDefault(p => p.GetCustomAttribute<Microsoft.Azure.Functions.Worker.Http.FromBodyAttribute>() is not null);
        if (parameter is null) return null;
        var options = http.RequestServices.GetRequiredService<IOptions<Microsoft.AspNetCore.Mvc.JsonOptions>>().Value.JsonSerializerOptions;
        try
        {
            return new Bound(await JsonSerializer.DeserializeAsync(http.Request.Body, parameter.ParameterType, options, cancellation));
        }
        catch (JsonException e)
        {
            throw new BindingException($"The body is no JSON that fits {parameter.Name}: {e.Message}", e);
        }
    }

    private static Task WriteAsync(HttpContext http, object? result)
    {
        switch (result)
        {
            case IActionResult action:
                return action.ExecuteResultAsync(new ActionContext(http, http.GetRouteData(), new ActionDescriptor()));
            case IResult minimal:
                return minimal.ExecuteAsync(http);
            case null:
                http.Response.StatusCode = http.Response.HasStarted ? http.Response.StatusCode : StatusCodes.Status204NoContent;
                return Task.CompletedTask;
            default:
                return new OkObjectResult(result).ExecuteResultAsync(new ActionContext(http, http.GetRouteData(), new ActionDescriptor()));
        }
    }
}
