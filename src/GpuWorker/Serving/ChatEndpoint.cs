using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Threading.Channels;
using System.Threading.RateLimiting;
using FunctionsPipeline.Images;
using FunctionsPipeline.Shared;
using Microsoft.AspNetCore.Http.Features;

namespace FunctionsPipeline.GpuWorker.Serving;

/// <summary>
/// <c>POST /v1/chat/completions</c>, <c>GET /v1/models</c> and <c>GET /v1/models/{model}</c> as OpenAI's clients use them. The model's own
/// question, or none, is answered as <c>POST /predict</c> answers it; another one in free text.
/// </summary>
internal sealed class ChatEndpoint(
    ServingOptions options, ConcurrencyLimiter places, PacedRetry pace, ImageDesk desk, ModelFollower models, BatchLoop batches,
    IHostApplicationLifetime lifetime, TimeProvider time)
{
    /// <summary>Name of whichever model serves.</summary>
    public const string Current = "current";

    private const int Base64Margin = 64 * 1024;

    /// <summary>Format of requests and responses.</summary>
    public static JsonSerializerOptions Json { get; } = new(JsonSerializerDefaults.Web)
    {
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
    };

    /// <summary>Lists the names that a request may give: the serving model's and <see cref="Current"/>; none while none serves.</summary>
    public IResult Models()
    {
        using var lease = models.Lease();
        string[] names = lease is null ? [] : [lease.Published.Version, Current];
        return Results.Json(new
        {
            Object = "list",
            Data = names.Select(id => Model(id, lease!)).ToList(),
        }, Json);
    }

    /// <summary>Describes the serving model by one of its names.</summary>
    public async Task ModelAsync(HttpContext context, string model)
    {
        try
        {
            using var lease = Lease(model);
            await context.Response.WriteAsJsonAsync(Model(model, lease), Json, context.RequestAborted);
        }
        catch (ChatException e)
        {
            await FailAsync(context, e);
        }
    }

    /// <summary>Answers a chat, in one piece or as a stream of events; errors in OpenAI's form.</summary>
    public async Task CompleteAsync(HttpContext context)
    {
        try
        {
            if (lifetime.ApplicationStopping.IsCancellationRequested) throw Unavailable("The server is stopping.", TimeSpan.FromSeconds(1));
            using var place = places.AttemptAcquire();
            if (!place.IsAcquired)
            {
                throw new ChatException($"{options.Queue} requests are in progress.", code: "rate_limit_exceeded", status: 429)
                {
                    RetryAfter = pace.Next(options.Queue),
                };
            }
            // An image takes a third more as base64.
            context.Features.GetRequiredFeature<IHttpMaxRequestBodySizeFeature>().MaxRequestBodySize =
                ImageLimits.Default.MaxBytes / 3 * 4 + Base64Margin;
            await AnswerAsync(context, context.RequestAborted);
        }
        catch (ChatException e)
        {
            await FailAsync(context, e);
        }
        catch (JsonException e)
        {
            await FailAsync(context, new ChatException($"The body is no chat request: {e.Message}"));
        }
        catch (UnreadableImageException e)
        {
            await FailAsync(context, new ChatException(e.Message, "messages", "invalid_image"));
        }
        catch (BadHttpRequestException e)
        {
            await FailAsync(context, new ChatException(e.Message, status: e.StatusCode));
        }
    }

    private async Task AnswerAsync(HttpContext context, CancellationToken cancellationToken)
    {
        using var room = await desk.EnterAsync(cancellationToken);
        ModelLease? model = null;
        var computing = Task.CompletedTask;
        try
        {
            var request = await JsonSerializer.DeserializeAsync<ChatRequest>(context.Request.Body, Json, cancellationToken)
                ?? throw new ChatException("The body is no chat request.");
            request.Validate();
            var (text, bytes) = request.ReadMessage();
            model = Lease(request.Model);
            var asTrained = text.Length == 0 || text == model.Predictor.Question;
            var settings = request.Settings(model.Predictor.Generation, asTrained);
            var image = await desk.PrepareAsync(model, bytes, asTrained ? null : text, cancellationToken);
            var pieces = Channel.CreateUnbounded<AnswerPiece>();
            var chat = new Chat(model.Published.Version, time.GetUtcNow().ToUnixTimeSeconds(), image.PromptTokens, settings.MaxTokens);
            computing = batches.StreamAsync(model.Predictor, image, settings, pieces.Writer, cancellationToken);
            await (request.Stream
                ? StreamAsync(context, chat, pieces.Reader, request.StreamOptions is { IncludeUsage: true }, cancellationToken)
                : WriteAsync(context, chat, pieces.Reader, cancellationToken));
        }
        finally
        {
            // The model must be in memory until the computation has ended. Never throws: failures have gone through the channel.
            await computing;
            model?.Dispose();
        }
    }

    private static async Task WriteAsync(
        HttpContext context, Chat chat, ChannelReader<AnswerPiece> pieces, CancellationToken cancellationToken)
    {
        var text = new StringBuilder();
        var tokens = 0;
        await foreach (var piece in pieces.ReadAllAsync(cancellationToken))
        {
            text.Append(piece.Text);
            tokens = piece.Tokens;
        }
        await context.Response.WriteAsJsonAsync(chat.Completion(text.ToString(), tokens), Json, cancellationToken);
    }

    private static async Task StreamAsync(
        HttpContext context, Chat chat, ChannelReader<AnswerPiece> pieces, bool includeUsage, CancellationToken cancellationToken)
    {
        context.Response.ContentType = "text/event-stream";
        context.Response.Headers.CacheControl = "no-cache";
        var tokens = 0;
        try
        {
            await SendAsync(chat.Chunk(new { Role = "assistant", Content = "" }));
            await foreach (var piece in pieces.ReadAllAsync(cancellationToken))
            {
                tokens = piece.Tokens;
                if (piece.Text.Length > 0) await SendAsync(chat.Chunk(new { Content = piece.Text }));
            }
            await SendAsync(chat.Chunk(new { }, chat.FinishReason(tokens)));
            if (includeUsage) await SendAsync(chat.UsageChunk(tokens));
        }
        // The status has been sent: clients take an error from an event as well.
        catch (Exception e) when (!cancellationToken.IsCancellationRequested)
        {
            await SendAsync(Error(new ChatException(e.Message, status: 500)));
        }
        await context.Response.WriteAsync("data: [DONE]\n\n", cancellationToken);

        async Task SendAsync(object data)
        {
            await context.Response.WriteAsync($"data: {JsonSerializer.Serialize(data, Json)}\n\n", cancellationToken);
            await context.Response.Body.FlushAsync(cancellationToken);
        }
    }

    private static object Model(string name, ModelLease lease) => new
    {
        Id = name,
        Object = "model",
        Created = lease.Published.PublishedAt.ToUnixTimeSeconds(),
        OwnedBy = "functions-pipeline",
    };

    private ModelLease Lease(string? name)
    {
        var model = models.Lease() ?? throw Unavailable(models.Problem ?? "The model is being exchanged.", models.RetryAfter);
        if (name == Current || name == model.Published.Version) return model;
        var serving = model.Published.Version;
        model.Dispose();
        throw new ChatException(
            $"The model '{name}' does not serve; '{serving}' does, also as '{Current}'.", "model", "model_not_found", 404);
    }

    private static ChatException Unavailable(string reason, TimeSpan retryAfter) => new(reason, status: 503) { RetryAfter = retryAfter };

    private static async Task FailAsync(HttpContext context, ChatException error)
    {
        context.Response.StatusCode = error.Status;
        if (error.RetryAfter is { } wait)
            context.Response.Headers.RetryAfter = Math.Max(1, Math.Ceiling(wait.TotalSeconds)).ToString(CultureInfo.InvariantCulture);
        await context.Response.WriteAsJsonAsync(Error(error), Json, context.RequestAborted);
    }

    private static object Error(ChatException error) => new
    {
        Error = new
        {
            error.Message,
            Type = error.Status < 500 ? "invalid_request_error" : "server_error",
            Param = error.Parameter,
            error.Code,
        },
    };

    /// <summary>One chat's documents.</summary>
    private sealed class Chat(string model, long created, int promptTokens, int maxTokens)
    {
        private readonly string _id = $"chatcmpl-{Guid.NewGuid():N}";

        public string FinishReason(int tokens) => tokens < maxTokens ? "stop" : "length";

        public object Completion(string text, int tokens) => new
        {
            Id = _id,
            Object = "chat.completion",
            Created = created,
            Model = model,
            Choices = new[]
            {
                new
                {
                    Index = 0,
                    Message = new { Role = "assistant", Content = text, Refusal = (string?)null },
                    Logprobs = (object?)null,
                    FinishReason = FinishReason(tokens),
                },
            },
            Usage = Usage(tokens),
        };

        public object Chunk(object delta, string? finishReason = null) => new
        {
            Id = _id,
            Object = "chat.completion.chunk",
            Created = created,
            Model = model,
            Choices = new[] { new { Index = 0, Delta = delta, FinishReason = finishReason } },
        };

        public object UsageChunk(int tokens) => new
        {
            Id = _id,
            Object = "chat.completion.chunk",
            Created = created,
            Model = model,
            Choices = Array.Empty<object>(),
            Usage = Usage(tokens),
        };

        private object Usage(int tokens) => new
        {
            PromptTokens = promptTokens,
            CompletionTokens = tokens,
            TotalTokens = promptTokens + tokens,
        };
    }
}

/// <summary>Routes of <see cref="ChatEndpoint"/>.</summary>
internal static class ChatRoutes
{
    /// <summary>Adds the routes that OpenAI's clients call.</summary>
    public static void MapChat(this WebApplication app)
    {
        var endpoint = ActivatorUtilities.CreateInstance<ChatEndpoint>(app.Services);
        app.MapPost("/v1/chat/completions", endpoint.CompleteAsync);
        app.MapGet("/v1/models", endpoint.Models);
        app.MapGet("/v1/models/{model}", endpoint.ModelAsync);
    }
}
