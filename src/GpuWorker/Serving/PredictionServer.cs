using System.Net;
using FunctionsPipeline.Contracts;
using FunctionsPipeline.FineTuning;
using FunctionsPipeline.GpuWorker.Storage;
using TorchSharp;

namespace FunctionsPipeline.GpuWorker.Serving;

/// <summary>Web server of <c>serve</c>: <c>POST /predict</c> and <c>GET /healthz</c>.</summary>
public static class PredictionServer
{
    /// <summary>Creates the server, ready to start.</summary>
    /// <param name="endpoint">Endpoint to listen on; port 0 takes a free one.</param>
    /// <param name="cache">Local folder that caches models.</param>
    /// <param name="settings">Settings in addition to the environment's, such as <c>PipelineStorage=…</c>.</param>
    /// <exception cref="CommandException">The setting <c>PipelineStorage</c> is missing.</exception>
    public static WebApplication Create(
        IPEndPoint endpoint, string cache, torch.Device device, IEnumerable<KeyValuePair<string, string?>>? settings = null)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Configuration.AddInMemoryCollection(settings ?? []);
        builder.Logging.ClearProviders().AddSimpleConsole(console => console.SingleLine = true);
        builder.Logging.AddFilter("Azure", LogLevel.Warning).AddFilter("Microsoft.AspNetCore", LogLevel.Warning);
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.Listen(endpoint));
        builder.Services.AddProblemDetails();
        builder.Services.AddStorage(builder.Configuration);
        builder.Services.AddWorkerTelemetry(builder.Configuration);
        builder.Services.AddSingleton(TimeProvider.System);
        builder.Services.AddSingleton<UploadReader>().AddSingleton<PredictEndpoint>();
        builder.Services.AddSingleton(services => new CurrentPredictor(
            services.GetRequiredService<IRunStore>(), Path.Combine(cache, "models"), device,
            services.GetRequiredService<ILogger<CurrentPredictor>>()));

        var app = builder.Build();
        app.UseExceptionHandler();
        app.UseStatusCodePages();
        app.MapPost("/predict", context => context.RequestServices.GetRequiredService<PredictEndpoint>().HandleAsync(context)
            .ContinueWith(task => task.GetAwaiter().GetResult().ExecuteAsync(context)).Unwrap());
        app.MapGet("/healthz", (CurrentPredictor current) =>
            Results.Json(new { status = "ok", model = current.Version }, PipelineJson.Options));
        return app;
    }
}
