using System.Net;
using System.Text.Json;
using Azure;
using Azure.Storage.Blobs;
using Azure.Storage.Blobs.Models;
using FunctionsPipeline.Contracts;
using FunctionsPipeline.FineTuning;
using FunctionsPipeline.Images;
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
        app.MapPost("/predict", async context =>
        {
            var result = await context.RequestServices.GetRequiredService<PredictEndpoint>().HandleAsync(context);
            await result.ExecuteAsync(context);
        });
        app.MapGet("/healthz", (CurrentPredictor current) =>
            Results.Json(new { status = "ok", model = current.Version }, PipelineJson.Options));
        return app;
    }
}

/// <summary><c>POST /predict</c>: answers a <see cref="PredictRequest"/> with a <see cref="PredictionDocument"/>.</summary>
internal sealed class PredictEndpoint(CurrentPredictor current, UploadReader uploads, TimeProvider time, ILogger<PredictEndpoint> logger)
{
    /// <summary>Answers 200 with the document, also for an upload that is not an image; 400, 404, 412 or 503 with a problem.</summary>
    public async Task<IResult> HandleAsync(HttpContext context)
    {
        var cancellationToken = context.RequestAborted;
        PredictRequest? request;
        try
        {
            request = await JsonSerializer.DeserializeAsync<PredictRequest>(context.Request.Body, PipelineJson.Compact, cancellationToken);
        }
        catch (JsonException e)
        {
            return Problem(400, $"The body is no prediction request: {e.Message}");
        }
        if (request is not { Blob.Length: > 0, ETag.Length: > 0 }) return Problem(400, "The body must be {\"blob\": …, \"etag\": …}.");
        try
        {
            return await PredictAsync(request, cancellationToken);
        }
        catch (RequestFailedException e) when (e.Status is 404 or 412)
        {
            return Problem(e.Status, e.Status == 404 ? "There is no such image (any more)." : "The image has changed since.");
        }
    }

    private async Task<IResult> PredictAsync(PredictRequest request, CancellationToken cancellationToken)
    {
        var started = time.GetTimestamp();
        try
        {
            var bytes = await uploads.ReadAsync(request, cancellationToken);
            // Rejects what is no image before the wait for the model, and also while none is published.
            ImageReader.Identify(bytes);
            var prediction = await current.UseAsync(
                (model, predictor) => Predicted(request, model, predictor.Answer([predictor.Prepare(bytes)], cancellationToken)[0]),
                cancellationToken);
            if (prediction is null) return Problem(503, "No model has been published yet; fine-tune one first.");
            return Answered(prediction with { Seconds = time.GetElapsedTime(started).TotalSeconds });
        }
        catch (UnreadableImageException e)
        {
            logger.Rejected(request.Blob, e.Reason, e.Detail);
            return Results.Json(new PredictionDocument
            {
                Image = request.Blob,
                ETag = request.ETag,
                Status = PredictionStatus.Rejected,
                Reason = e.Reason,
                Detail = e.Detail,
                Seconds = time.GetElapsedTime(started).TotalSeconds,
                At = time.GetUtcNow(),
            }, PipelineJson.Options);
        }
    }

    private IResult Answered(PredictionDocument prediction)
    {
        logger.Predicted(prediction.Image, prediction.Answer ?? "", prediction.Seconds);
        return Results.Json(prediction, PipelineJson.Options);
    }

    private PredictionDocument Predicted(PredictRequest request, string model, PredictedAnswer predicted)
    {
        var answer = predicted.Read;
        return new PredictionDocument
        {
            Image = request.Blob,
            ETag = request.ETag,
            Status = PredictionStatus.Predicted,
            Answer = predicted.Text,
            Title = answer?.Title,
            Category = answer?.Category,
            Price = answer?.Price,
            Confidence = predicted.Confidence,
            Model = model,
            At = time.GetUtcNow(),
        };
    }

    private static IResult Problem(int status, string detail) => Results.Problem(statusCode: status, detail: detail);
}

/// <summary>Reads uploaded images from blob storage.</summary>
internal sealed class UploadReader(BlobServiceClient blobs)
{
    /// <summary>Downloads exactly the requested version of an image.</summary>
    /// <exception cref="RequestFailedException">404: the blob does not exist. 412: it has another version.</exception>
    /// <exception cref="UnreadableImageException">The blob exceeds the size limit of images.</exception>
    public async Task<byte[]> ReadAsync(PredictRequest request, CancellationToken cancellationToken)
    {
        var blob = blobs.GetBlobContainerClient(Containers.ProductImages).GetBlobClient(request.Blob);
        var options = new BlobDownloadOptions { Conditions = new BlobRequestConditions { IfMatch = new ETag(request.ETag) } };
        using var download = await OpenAsync(blob, options, cancellationToken);
        var length = download.Details.ContentLength;
        if (length > ImageLimits.Default.MaxBytes)
        {
            throw new UnreadableImageException(
                Rejection.TooLarge, $"{length:N0} bytes; at most {ImageLimits.Default.MaxBytes:N0} are read");
        }
        var bytes = new byte[length];
        await download.Content.ReadExactlyAsync(bytes, cancellationToken);
        return bytes;
    }

    private static async Task<BlobDownloadStreamingResult> OpenAsync(
        BlobClient blob, BlobDownloadOptions options, CancellationToken cancellationToken)
    {
        try
        {
            return await blob.DownloadStreamingAsync(options, cancellationToken);
        }
        catch (RequestFailedException e) when (e.Status == 412)
        {
            // Some services check the condition first and answer 412 even when the blob does not exist.
            if (!await blob.ExistsAsync(cancellationToken)) throw new RequestFailedException(404, "There is no such image (any more).", e);
            throw;
        }
    }
}

/// <summary>
/// Holds the predictor of the serving model: follows <c>models/current.json</c>, downloads each version once, and serves one caller at a
/// time.
/// </summary>
/// <param name="cache">Local folder that caches models.</param>
internal sealed class CurrentPredictor(IRunStore store, string cache, torch.Device device, ILogger<CurrentPredictor> logger) : IDisposable
{
    private readonly SemaphoreSlim _turn = new(1);
    private (string Version, Predictor Predictor)? _loaded;

    /// <summary>Version of the loaded model; null before the first load.</summary>
    public string? Version => _loaded?.Version;

    /// <summary>Calls a function with the predictor of the serving model, which is loaded first when the version has changed.</summary>
    /// <returns>The function's result; null when no model has been published yet.</returns>
    public async Task<TResult?> UseAsync<TResult>(Func<string, Predictor, TResult> use, CancellationToken cancellationToken)
        where TResult : class
    {
        // One turn covers version check, load and answer: no caller can use a predictor that another one disposes.
        await _turn.WaitAsync(cancellationToken);
        try
        {
            var current = await store.ReadAsync(Containers.Models, BlobNames.CurrentModel, cancellationToken);
            if (current is null) return null;
            var version = JsonSerializer.Deserialize<CurrentModel>(current, PipelineJson.Options)!.Version;
            if (version != _loaded?.Version) await LoadAsync(version, cancellationToken);
            var (_, predictor) = _loaded!.Value;
            return await Task.Run(() => use(version, predictor), cancellationToken);
        }
        finally
        {
            _turn.Release();
        }
    }

    public void Dispose()
    {
        _loaded?.Predictor.Dispose();
        _turn.Dispose();
    }

    private async Task LoadAsync(string version, CancellationToken cancellationToken)
    {
        var folder = await ModelTransfer.DownloadAsync(store, version, cache, cancellationToken);
        var predictor = await Task.Run(() => new Predictor(folder, device, torch.float32), cancellationToken);
        // The old model is freed only now, after the new one has loaded: memory must hold both, and a failed load loses none.
        _loaded?.Predictor.Dispose();
        _loaded = (version, predictor);
        logger.ModelLoaded(version);
    }
}
