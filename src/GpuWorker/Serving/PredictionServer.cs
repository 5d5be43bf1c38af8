using System.Net;
using System.Security.Cryptography;
using System.Text;
using System.Threading.RateLimiting;
using FunctionsPipeline.Contracts;
using FunctionsPipeline.Shared;
using OpenTelemetry.Metrics;

namespace FunctionsPipeline.GpuWorker.Serving;

/// <summary>Web server of <c>serve</c>.</summary>
public static class PredictionServer
{
    /// <summary>Setting with the key that callers give as <c>Authorization: Bearer</c>.</summary>
    public const string Key = "Worker:Key";

    /// <summary>Creates the server, ready to start.</summary>
    /// <param name="settings">Settings in addition to the environment's, such as <c>PipelineStorage=…</c>.</param>
    /// <exception cref="CommandException">
    /// The setting <c>PipelineStorage</c> is missing, or the server is to listen on more than loopback without a key.
    /// </exception>
    public static WebApplication Create(ServingOptions options, IEnumerable<KeyValuePair<string, string?>>? settings = null)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Configuration.AddInMemoryCollection(settings ?? []);
        var key = builder.Configuration[Key];
        if (string.IsNullOrEmpty(key) && !IPAddress.IsLoopback(options.Endpoint.Address))
        {
            var variable = Key.Replace(":", "__", StringComparison.Ordinal);
            throw new CommandException(
                $"Others can reach {options.Endpoint.Address}: set {Key} (in the environment {variable}) to a key that callers must " +
                "give, here and in the app.");
        }
        builder.Logging.ClearProviders().AddSimpleConsole(console => console.SingleLine = true);
        builder.Logging.AddFilter("Azure", LogLevel.Warning).AddFilter("Microsoft.AspNetCore", LogLevel.Warning);
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.Listen(options.Endpoint));
        AddServices(builder, options);

        var app = builder.Build();
        app.UseExceptionHandler();
        app.UseStatusCodePages();
        if (!string.IsNullOrEmpty(key)) app.Use(RequireKey(key));
        app.MapPost("/predict", async context =>
        {
            var result = await context.RequestServices.GetRequiredService<PredictEndpoint>().HandleAsync(context);
            await result.ExecuteAsync(context);
        });
        app.MapChat();
        // The model is loaded from the start on: a call that reaches this server has woken whatever starts it.
        app.MapPost("/warm", (ModelFollower models) => models.Serving is null ? Results.Accepted() : Results.Ok());
        app.MapGet("/livez", () => Results.Ok()).DisableHttpMetrics();
        app.MapGet("/readyz", (ModelFollower models) => models.Serving is { } model
            ? Results.Json(new { status = "ready", model, problem = models.Problem }, PipelineJson.Options)
            : Results.Problem(statusCode: 503, detail: models.Problem)).DisableHttpMetrics();
        app.MapPrometheusScrapingEndpoint("/metrics").DisableHttpMetrics();
        return app;
    }

    /// <summary>True for the path of a health probe, which needs no key.</summary>
    public static bool IsProbe(PathString path) => path.Value is "/livez" or "/readyz";

    private static void AddServices(WebApplicationBuilder builder, ServingOptions options)
    {
        builder.Services.AddProblemDetails(problems =>
            problems.CustomizeProblemDetails = problem => problem.ProblemDetails.Detail ??= problem.Exception?.Message);
        builder.Services.AddStorage(builder.Configuration);
        builder.Services.AddWorkerTelemetry(builder.Configuration);
        builder.Services.AddOpenTelemetry().WithMetrics(metrics => metrics
            .AddMeter(PipelineMetrics.MeterName, "Microsoft.AspNetCore.Hosting").AddPrometheusExporter());
        builder.Services.AddSingleton(TimeProvider.System);
        builder.Services.AddSingleton(options);
        builder.Services.AddSingleton(new ConcurrencyLimiter(new ConcurrencyLimiterOptions { PermitLimit = options.Queue }));
        builder.Services.AddSingleton<PacedRetry>().AddSingleton<ServingMetrics>();
        builder.Services.AddSingleton<UploadReader>().AddSingleton<ImageDesk>().AddSingleton<PredictEndpoint>();
        // Stopped in the opposite order, after the web server: requests in progress end first.
        builder.Services.AddSingleton<ModelFollower>().AddHostedService(services => services.GetRequiredService<ModelFollower>());
        builder.Services.AddSingleton<BatchLoop>().AddHostedService(services => services.GetRequiredService<BatchLoop>());
    }

    private static Func<HttpContext, RequestDelegate, Task> RequireKey(string key)
    {
        var expected = Encoding.UTF8.GetBytes($"Bearer {key}");
        return async (context, next) =>
        {
            var given = Encoding.UTF8.GetBytes(context.Request.Headers.Authorization.ToString());
            // Compared in a time that tells nothing of the key.
            if (IsProbe(context.Request.Path) || CryptographicOperations.FixedTimeEquals(given, expected))
            {
                await next(context);
                return;
            }
            context.Response.Headers.WWWAuthenticate = "Bearer";
            await Results.Problem(statusCode: 401, detail: $"The key in the setting {Key} must be given as Authorization: Bearer KEY.")
                .ExecuteAsync(context);
        };
    }
}
