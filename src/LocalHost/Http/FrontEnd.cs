using System.Diagnostics;
using System.Net;
using System.Reflection;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using FunctionsPipeline.LocalHost.Functions;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Extensions;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Azure.WebJobs;
using Microsoft.Azure.WebJobs.Description;
using Microsoft.Azure.WebJobs.Host.Config;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Yarp.ReverseProxy.Forwarder;

namespace FunctionsPipeline.LocalHost.Http;

/// <summary>HTTP server of the host: the app's HTTP functions, the extensions' webhooks, and <c>/admin</c> as in Core Tools.</summary>
internal sealed class FrontEnd : IAsyncDisposable
{
    private readonly WebApplication _app;
    private readonly ILogger _logger;
    private readonly HostKey? _key;
    private readonly WebHooks _hooks;
    private readonly TaskCompletionSource<IJobHost> _jobs = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <param name="routePrefix">Route prefix in host.json, such as <c>api</c>.</param>
    /// <param name="key">Key that requests must send; null on loopback, where no key is required.</param>
    public FrontEnd(
        IPEndPoint endPoint, string routePrefix, IReadOnlyList<Function> functions, HostKey? key, WebHooks hooks, ILoggerFactory logs)
    {
        _key = key;
        _hooks = hooks;
        _logger = logs.CreateLogger("Http");
        var builder = WebApplication.CreateSlimBuilder();
        builder.Services.AddSingleton(logs).AddSingleton<IHostLifetime, EmbeddedLifetime>();
        builder.Services.AddRouting(routing => routing.LowercaseUrls = false);
        builder.WebHost.ConfigureKestrel(kestrel =>
        {
            kestrel.Limits.MaxRequestBodySize = 210L * 1024 * 1024; // same limit as in Azure
            kestrel.Listen(endPoint, listen => listen.Protocols = HttpProtocols.Http1);
        });
        _app = builder.Build();
        _app.Use(LogAsync);
        _app.MapGet("/", (HttpRequest request) => Results.Json(functions.Select(function => new
        {
            function.Name,
            Trigger = function.Trigger?.Type,
            Route = function.Trigger is { } trigger && trigger.Is("httpTrigger") ? Pattern(trigger, function, routePrefix) : null,
        })));
        _app.MapGet("/admin/host/status", (HttpContext http) => GuardedAsync(http, _key, () =>
            http.Response.WriteAsJsonAsync(new { State = _jobs.Task.IsCompletedSuccessfully ? "Running" : "Initialized" })));
        _app.MapPost("/admin/functions/{name}", (HttpContext http, string name) =>
        {
            var function = functions.FirstOrDefault(function => function.Name.Equals(name, StringComparison.OrdinalIgnoreCase));
            return GuardedAsync(http, _key, () => StartAsync(http, function));
        });
        _app.Map("/runtime/webhooks/{extension}/{**rest}", (HttpContext http, string extension) => GuardedAsync(http, _key, async () =>
        {
            await _jobs.Task.WaitAsync(http.RequestAborted);
            await _hooks.AnswerAsync(http, extension);
        }));
        foreach (var function in functions.Where(function => function.UnsupportedReason is null && function.Trigger!.Is("httpTrigger")))
            Map(function, function.Trigger!, routePrefix);
    }

    public Task StartAsync(CancellationToken cancellationToken) => _app.StartAsync(cancellationToken);

    /// <summary>Releases the requests that wait for the start.</summary>
    public void SetReady(IJobHost jobs) => _jobs.TrySetResult(jobs);

    public async ValueTask DisposeAsync()
    {
        using var timeout = new CancellationTokenSource(TimeSpan.FromSeconds(1));
        await _app.StopAsync(timeout.Token);
        await _app.DisposeAsync();
    }

    private void Map(Function function, FunctionBinding trigger, string routePrefix)
    {
        var key = "anonymous".Equals(trigger.Text("authLevel"), StringComparison.OrdinalIgnoreCase) ? null : _key;
        var methods = trigger.Texts("methods").Select(method => method.ToUpperInvariant()).ToList();
        RequestDelegate run = http => GuardedAsync(http, key, () => RunAsync(http, function));
        var endpoint = methods.Count > 0
            ? _app.MapMethods(Pattern(trigger, function, routePrefix), methods, run)
            : _app.Map(Pattern(trigger, function, routePrefix), run);
        endpoint.WithDisplayName(function.Name);
    }

    private static string Pattern(FunctionBinding trigger, Function function, string routePrefix) =>
        $"/{routePrefix.Trim('/')}/{(trigger.Text("route") ?? function.Name).Trim('/')}".Replace("//", "/", StringComparison.Ordinal);

    private async Task RunAsync(HttpContext http, Function function)
    {
        var jobs = await _jobs.Task.WaitAsync(http.RequestAborted);
        try
        {
            var arguments = new Dictionary<string, object> { [EmittedFunctions.HttpArgument] = http };
            await jobs.CallAsync(function.Name, arguments, http.RequestAborted);
        }
        catch (Exception)
        {
            // The SDK has logged the failure. If the worker still runs, it has answered the request itself.
            if (!http.Response.HasStarted) http.Response.StatusCode = StatusCodes.Status500InternalServerError;
        }
    }

    // Starts a non-HTTP function manually, as Core Tools do: the body {"input": "…"} supplies the trigger's value.
    private async Task StartAsync(HttpContext http, Function? function)
    {
        if (function is null)
        {
            http.Response.StatusCode = StatusCodes.Status404NotFound;
            return;
        }
        var obstacle = function.UnsupportedReason ?? (function.Trigger!.Type switch
        {
            "httpTrigger" => "call it at its URL",
            "orchestrationTrigger" or "entityTrigger" => "start it with a Durable Functions client",
            _ => null,
        });
        string? input = null;
        try
        {
            using var body = await JsonDocument.ParseAsync(http.Request.Body, cancellationToken: http.RequestAborted);
            if (body.RootElement.ValueKind == JsonValueKind.Object && body.RootElement.TryGetProperty("input", out var given))
                input = given.ToString();
        }
        catch (JsonException e)
        {
            obstacle ??= $"the body must be {{\"input\": \"…\"}}: {e.Message}";
        }
        if (obstacle is not null)
        {
            http.Response.StatusCode = StatusCodes.Status400BadRequest;
            await http.Response.WriteAsJsonAsync(new { error = $"{function.Name} cannot be started by hand: {obstacle}" });
            return;
        }
        var jobs = await _jobs.Task.WaitAsync(http.RequestAborted);
        _ = Task.Run(async () =>
        {
            try
            {
                await jobs.CallAsync(function.Name, new Dictionary<string, object> { [function.Trigger!.Name] = input ?? "" });
            }
            catch (Exception)
            {
                // The SDK has logged the failure, and the request is already answered with 202.
            }
        });
        http.Response.StatusCode = StatusCodes.Status202Accepted;
    }

    private static Task GuardedAsync(HttpContext http, HostKey? key, Func<Task> answer)
    {
        if (key is null || key.Admits(http.Request)) return answer();
        http.Response.StatusCode = StatusCodes.Status401Unauthorized;
        return Task.CompletedTask;
    }

    private async Task LogAsync(HttpContext http, RequestDelegate next)
    {
        var started = Stopwatch.GetTimestamp();
        await next(http);
        if (http.Request.Path.StartsWithSegments("/admin/host", StringComparison.OrdinalIgnoreCase)) return;
        var milliseconds = Stopwatch.GetElapsedTime(started).TotalMilliseconds;
        Logs.Request(_logger, http.Request.Method, http.Request.Path, http.Response.StatusCode, milliseconds);
    }
}

/// <summary>
/// The only key of a host that listens beyond loopback: for functions whose level is not anonymous, for webhooks, and for <c>/admin</c>.
/// </summary>
internal sealed record HostKey(string Value)
{
    public static HostKey Create() => new(Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(20)));

    /// <summary>True when a request has the key in the header <c>x-functions-key</c> or the query parameter <c>code</c>.</summary>
    public bool Admits(HttpRequest request)
    {
        var given = request.Headers.TryGetValue("x-functions-key", out var header) ? header.ToString() : request.Query["code"].ToString();
        return CryptographicOperations.FixedTimeEquals(Encoding.UTF8.GetBytes(given), Encoding.UTF8.GetBytes(Value));
    }
}

/// <summary>
/// Routes requests below <c>/runtime/webhooks/</c> to the extensions that handle them: the management API of Durable Functions, and Event
/// Grid's blob events.
/// </summary>
#pragma warning disable CS0618 // "Not ready for public consumption", but the only way for an extension to receive HTTP requests.
internal sealed class WebHooks(Uri address, HostKey? key) : IWebHookProvider
{
    private readonly Dictionary<string, IAsyncConverter<HttpRequestMessage, HttpResponseMessage>> _extensions =
        new(StringComparer.OrdinalIgnoreCase);

    public Uri GetUrl(IExtensionConfigProvider extension)
    {
        var type = extension.GetType();
        var name = (type.GetCustomAttribute<ExtensionAttribute>()?.ConfigurationSection ?? type.Name).ToLowerInvariant();
        _extensions[name] = (IAsyncConverter<HttpRequestMessage, HttpResponseMessage>)extension;
        return new Uri(address, $"runtime/webhooks/{name}{(key is null ? "" : $"?code={Uri.EscapeDataString(key.Value)}")}");
    }

    /// <summary>Has the extension handle a request.</summary>
    public async Task AnswerAsync(HttpContext http, string extension)
    {
        if (!_extensions.TryGetValue(extension, out var handler))
        {
            http.Response.StatusCode = StatusCodes.Status404NotFound;
            return;
        }
        using var request = new HttpRequestMessage(new HttpMethod(http.Request.Method), http.Request.GetEncodedUrl());
        request.Content = new StreamContent(http.Request.Body);
        foreach (var (name, values) in http.Request.Headers)
        {
            if (!request.Headers.TryAddWithoutValidation(name, (IEnumerable<string?>)values))
                request.Content.Headers.TryAddWithoutValidation(name, (IEnumerable<string?>)values);
        }
        using var response = await handler.ConvertAsync(request, http.RequestAborted);
        http.Response.StatusCode = (int)response.StatusCode;
        foreach (var (name, values) in response.Headers.Concat(response.Content.Headers)) http.Response.Headers[name] = values.ToArray();
        await response.Content.CopyToAsync(http.Response.Body, http.RequestAborted);
    }
}

/// <summary>Forwards requests to the HTTP server in the worker process.</summary>
internal sealed class HttpForwarding(IHttpForwarder forwarder) : IDisposable
{
    // The Functions host's own limit (DefaultHttpProxyService).
    private static readonly ForwarderRequestConfig Config = new() { ActivityTimeout = TimeSpan.FromMinutes(4) };

    private readonly HttpMessageInvoker _invoker = new(new SocketsHttpHandler
    {
        UseProxy = false,
        AllowAutoRedirect = false,
        AutomaticDecompression = DecompressionMethods.None,
        UseCookies = false,
        // Trace headers pass as the caller sent them; the worker's parent span comes with the invocation.
        ActivityHeadersPropagator = null,
    });

    /// <summary>Forwards a request and copies back the response.</summary>
    /// <param name="invocationId">Id of the invocation that the request belongs to.</param>
    public async Task ForwardAsync(HttpContext http, Uri worker, string invocationId) =>
        await forwarder.SendAsync(http, worker.ToString(), _invoker, Config, new Headers(invocationId));

    public void Dispose() => _invoker.Dispose();

    private sealed class Headers(string invocationId) : HttpTransformer
    {
        public override async ValueTask TransformRequestAsync(
            HttpContext httpContext, HttpRequestMessage proxyRequest, string destinationPrefix, CancellationToken cancellationToken)
        {
            await base.TransformRequestAsync(httpContext, proxyRequest, destinationPrefix, cancellationToken);
            var request = httpContext.Request;
            // YARP then sends the worker's host name; X-Forwarded-Host has the caller's.
            proxyRequest.Headers.Host = null;
            // A header of the caller must not take another invocation's place.
            proxyRequest.Headers.Remove("x-ms-invocation-id");
            proxyRequest.Headers.Add("x-ms-invocation-id", invocationId);
            // The worker builds the management API's URLs from these headers.
            proxyRequest.Headers.TryAddWithoutValidation("X-Forwarded-Proto", request.Scheme);
            proxyRequest.Headers.TryAddWithoutValidation("X-Forwarded-Host", request.Host.Value);
        }
    }
}
