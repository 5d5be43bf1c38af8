using System.Globalization;
using System.Net;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace FunctionsPipeline.FineTuning.Tracking.Wandb;

/// <summary>
/// Client for the calls of the Weights &amp; Biases API that a run needs, as wandb's own client makes them: GraphQL
/// (https://github.com/wandb/wandb/tree/main/core/api/graphql), the file stream
/// (https://github.com/wandb/wandb/tree/main/core/internal/filestream) and uploads to signed URLs
/// (https://github.com/wandb/wandb/tree/main/core/internal/runfiles). The key goes to the API only, and into no message.
/// </summary>
/// <exception cref="WandbException">Thrown by every method: the server refused the request.</exception>
/// <exception cref="HttpRequestException">
/// Thrown by every method: the server could not be reached, or its response is none of this API, as that of a proxy.
/// </exception>
internal sealed class WandbClient : IDisposable
{
    private const int MostShown = 500;
    private const double LongestPauseSeconds = 300;

    private static readonly JsonSerializerOptions Json = new(JsonSerializerDefaults.Web)
    {
        DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
        RespectNullableAnnotations = true,
        RespectRequiredConstructorParameters = true,
    };

    private readonly WandbOptions _options;
    // The caller limits the time of each call.
    private readonly HttpClient _api = new() { Timeout = Timeout.InfiniteTimeSpan };
    // Apart from the API's client, since storage must not learn the key.
    private readonly HttpClient _storage = new() { Timeout = Timeout.InfiniteTimeSpan };

    public WandbClient(WandbOptions options)
    {
        _options = options;
        _api.DefaultRequestHeaders.Authorization = options.Authorization;
        _api.DefaultRequestHeaders.UserAgent.ParseAdd("FunctionsPipeline");
    }

    /// <summary>Finds the run of an earlier attempt; null when there is none.</summary>
    public async Task<EarlierRun?> FindAsync(string name, CancellationToken cancellationToken)
    {
        var found = await QueryAsync<FoundRun>(
            """
            query RunResumeStatus($entity: String, $project: String, $name: String!) {
              model(entityName: $entity, name: $project) {
                bucket(name: $name, missingOk: true) { id historyLineCount eventsLineCount historyTail eventsTail }
              }
            }
            """,
            new { _options.Entity, _options.Project, name }, cancellationToken);
        if (found.Model?.Bucket is not { } run) return null;
        var earlier = new EarlierRun(
            run.Id, run.HistoryLineCount ?? 0, run.EventsLineCount ?? 0, (int?)Last(run.HistoryTail, "_step"),
            Last(run.EventsTail, "_runtime") ?? 0);
        // Without it, lines would be sent twice.
        return earlier is { HistoryLines: > 0, LastStep: null } ? throw Unexpected() : earlier;
    }

    /// <summary>Creates a run or updates it, and returns its place.</summary>
    /// <param name="id">The server's own id of an existing run; null for a new one.</param>
    public async Task<RunPath> UpsertAsync(string? id, RunSettings run, CancellationToken cancellationToken)
    {
        var upserted = await QueryAsync<UpsertedRun>(
            """
            mutation UpsertBucket(
              $id: String, $entity: String, $project: String, $name: String, $group: String, $jobType: String, $tags: [String!],
              $host: String, $config: JSONString
            ) {
              upsertBucket(input: {
                id: $id, entityName: $entity, modelName: $project, name: $name, displayName: $name, groupName: $group, jobType: $jobType,
                tags: $tags, host: $host, config: $config
              }) {
                bucket { name project { name entity { name } } }
              }
            }
            """,
            new { id, _options.Entity, _options.Project, run.Name, run.Group, run.JobType, run.Tags, run.Host, run.Config },
            // A conflict of two writers passes.
            cancellationToken, passing: HttpStatusCode.Conflict);
        var bucket = upserted.UpsertBucket.Bucket;
        return new RunPath(bucket.Project.Entity.Name, bucket.Project.Name, bucket.Name);
    }

    /// <summary>Sends lines of the run's files; sending the same lines again changes nothing.</summary>
    /// <returns>Time to leave the server alone, by its rate limit.</returns>
    public async Task<TimeSpan> StreamAsync(RunPath run, StreamRequest request, CancellationToken cancellationToken)
    {
        using var content = JsonContent.Create(request, options: Json);
        var url = Api($"files/{run.Entity}/{run.Project}/{run.Run}/file_stream");
        using var response = await _api.PostAsync(url, content, cancellationToken);
        // Nothing else tells that lines were taken but the status; a page of HTML is that of a proxy.
        if (await CheckAsync(response, passing: null, cancellationToken) is { Length: > 0 } text) Parse(text);
        return RateLimitPause(response.Headers);
    }

    /// <summary>Uploads a file of a run.</summary>
    public async Task UploadAsync(RunPath run, MediaFile file, CancellationToken cancellationToken)
    {
        var created = (await QueryAsync<CreatedFiles>(
            """
            mutation CreateRunFiles($entity: String!, $project: String!, $run: String!, $files: [String!]!) {
              createRunFiles(input: { entityName: $entity, projectName: $project, runName: $run, files: $files }) {
                uploadHeaders
                files { name uploadUrl }
              }
            }
            """,
            new { run.Entity, run.Project, run.Run, Files = new[] { file.Path } }, cancellationToken)).CreateRunFiles;
        var url = created.Files.FirstOrDefault(one => one.Name == file.Path)?.UploadUrl;
        if (!Uri.TryCreate(_options.Server, url, out var target)) throw Unexpected();
        using var content = new ReadOnlyMemoryContent(file.Content);
        using var request = new HttpRequestMessage(HttpMethod.Put, target) { Content = content };
        foreach (var header in (created.UploadHeaders ?? []).Select(header => header.Split(':', 2)).Where(header => header.Length == 2))
        {
            if (!request.Headers.TryAddWithoutValidation(header[0], header[1].Trim()))
                content.Headers.TryAddWithoutValidation(header[0], header[1].Trim());
        }
        using var response = await _storage.SendAsync(request, cancellationToken);
        await CheckAsync(response, passing: null, cancellationToken);
    }

    public void Dispose()
    {
        _api.Dispose();
        _storage.Dispose();
    }

    private sealed record FoundRun(FoundProject? Model);
    private sealed record FoundProject(FoundBucket? Bucket);
    private sealed record FoundBucket(string Id, int? HistoryLineCount, int? EventsLineCount, string? HistoryTail, string? EventsTail);
    private sealed record UpsertedRun(Upserted UpsertBucket);
    private sealed record Upserted(Bucket Bucket);
    private sealed record Bucket(string Name, Project Project);
    private sealed record Project(string Name, Entity Entity);
    private sealed record Entity(string Name);
    private sealed record CreatedFiles(FilesToUpload CreateRunFiles);
    private sealed record FilesToUpload(IReadOnlyList<string>? UploadHeaders, IReadOnlyList<FileToUpload> Files);
    private sealed record FileToUpload(string Name, string? UploadUrl);

    private Uri Api(string path) => new($"{_options.Server.AbsoluteUri.TrimEnd('/')}/{path}");

    private async Task<T> QueryAsync<T>(
        string query, object variables, CancellationToken cancellationToken, HttpStatusCode? passing = null)
    {
        using var content = JsonContent.Create(new { query, variables }, options: Json);
        using var response = await _api.PostAsync(Api("graphql"), content, cancellationToken);
        var body = Parse(await CheckAsync(response, passing, cancellationToken));
        // GraphQL answers 200 to what it refuses, too.
        if (body.TryGetProperty("errors", out var errors) && errors.ValueKind == JsonValueKind.Array && errors.GetArrayLength() > 0)
            throw new WandbException(HttpStatusCode.OK, $"{_options.Server} refused a request: {Problem(body.GetRawText())}");
        try
        {
            return body.GetProperty("data").Deserialize<T>(Json) ?? throw Unexpected();
        }
        catch (Exception e) when (e is JsonException or KeyNotFoundException)
        {
            throw Unexpected(e);
        }
    }

    private JsonElement Parse(string text)
    {
        try
        {
            var body = JsonElement.Parse(text);
            return body.ValueKind == JsonValueKind.Object ? body : throw Unexpected();
        }
        catch (JsonException e)
        {
            throw Unexpected(e);
        }
    }

    /// <summary>Returns the text of a response that accepts the request.</summary>
    /// <param name="passing">Status after which the request may be repeated, although it is a refusal in other calls.</param>
    private async Task<string> CheckAsync(HttpResponseMessage response, HttpStatusCode? passing, CancellationToken cancellationToken)
    {
        var text = await response.Content.ReadAsStringAsync(cancellationToken);
        if (response.IsSuccessStatusCode) return text;
        var status = response.StatusCode;
        // Without the query, which has the signature of an upload.
        var url = response.RequestMessage!.RequestUri!.GetLeftPart(UriPartial.Path);
        var remedy = status switch
        {
            HttpStatusCode.Unauthorized => " (check WANDB_API_KEY)",
            HttpStatusCode.Forbidden or HttpStatusCode.NotFound => " (check WANDB_ENTITY and WANDB_PROJECT)",
            HttpStatusCode.Gone => " (the run was deleted there, and its id cannot be used again)",
            _ => "",
        };
        var retryAfter = response.Headers.RetryAfter is { } after ? after.Delta ?? after.Date - DateTimeOffset.UtcNow : null;
        throw new WandbException(
            status, $"{url} answered {(int)status}: {Problem(text)}{remedy}", retryAfter, isPassing: status == passing);
    }

    /// <summary>Returns a number of the last line of a tail, a JSON list of lines, each a text of JSON.</summary>
    private double? Last(string? tail, string name)
    {
        try
        {
            return tail is not null && JsonSerializer.Deserialize<string[]>(tail) is [.., var line]
                && JsonElement.Parse(line).TryGetProperty(name, out var value) ? value.GetDouble() : null;
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException or ArgumentException)
        {
            throw Unexpected(e);
        }
    }

    /// <summary>Returns the message in a response, or the start of one without a message.</summary>
    // {"error": "…"} or {"errors": [{"message": "…"}]}: https://github.com/wandb/wandb/blob/main/core/internal/api/backenderrors.go
    private string Problem(string text)
    {
        try
        {
            var body = JsonElement.Parse(text);
            if (body.TryGetProperty("error", out var error)) text = Message(error);
            else if (body.TryGetProperty("errors", out var errors)) text = string.Join("; ", errors.EnumerateArray().Select(Message));
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            // Any other text stands for itself.
        }
        var shown = _options.WithoutKey(text).ReplaceLineEndings(" ").Trim();
        return shown.Length > MostShown ? shown[..MostShown] + "…" : shown;

        static string Message(JsonElement value) =>
            value.ValueKind == JsonValueKind.Object && value.TryGetProperty("message", out var message) ? $"{message}" : $"{value}";
    }

    private HttpRequestException Unexpected(Exception? inner = null) =>
        new($"{_options.Server} did not answer as the API of Weights & Biases does. Check WANDB_BASE_URL.", inner);

    // The quota that is left, spread over the rest of its window: https://www.ietf.org/archive/id/draft-polli-ratelimit-headers-02.html
    private static TimeSpan RateLimitPause(HttpResponseHeaders headers)
    {
        return Number("RateLimit-Remaining") is { } remaining && Number("RateLimit-Reset") is { } reset
            ? TimeSpan.FromSeconds(Math.Min(reset / Math.Max(remaining, 1), LongestPauseSeconds)) : TimeSpan.Zero;

        double? Number(string name) => headers.TryGetValues(name, out var values)
            && double.TryParse(values.First(), NumberStyles.Float, CultureInfo.InvariantCulture, out var number)
            && number >= 0 && double.IsFinite(number) ? number : null;
    }
}

/// <summary>A run that an earlier attempt left on the server.</summary>
/// <param name="Id">The server's own id of the run.</param>
/// <param name="HistoryLines">Number of lines of metrics.</param>
/// <param name="EventsLines">Number of lines of system metrics.</param>
/// <param name="LastStep">The last step with metrics; null when there is none.</param>
/// <param name="Runtime">Seconds from the run's beginning to its last system metrics.</param>
internal sealed record EarlierRun(string Id, int HistoryLines, int EventsLines, int? LastStep, double Runtime);

/// <summary>Place of a run on the server.</summary>
internal sealed record RunPath(string Entity, string Project, string Run);

/// <summary>Settings of a run.</summary>
/// <param name="Name">Id and name of the run.</param>
/// <param name="Group">Group of runs that the run belongs to; null for none.</param>
/// <param name="Tags">Null leaves those of an earlier attempt.</param>
/// <param name="Host">Name of the machine.</param>
/// <param name="Config">JSON object of all settings, each <c>{"value": …}</c>.</param>
internal sealed record RunSettings(string Name, string? Group, string JobType, IReadOnlyList<string>? Tags, string Host, string Config);

/// <summary>
/// Request to a run's file stream: https://github.com/wandb/wandb/blob/main/core/internal/filestream/filestreamrequest.go.
/// </summary>
internal sealed record StreamRequest
{
    public const string History = "wandb-history.jsonl";
    public const string Events = "wandb-events.jsonl";
    public const string Summary = "wandb-summary.json";

    /// <summary>Lines by the name of their file; null for none.</summary>
    public IReadOnlyDictionary<string, FileLines>? Files { get; init; }

    /// <summary>Paths of uploaded files.</summary>
    public IReadOnlyList<string>? Uploaded { get; init; }

    /// <summary>True when the run pauses, to be resumed by another attempt.</summary>
    public bool? Preempting { get; init; }

    /// <summary>True when the run has ended.</summary>
    public bool? Complete { get; init; }

    /// <summary>0 for a success; null while the run has not ended.</summary>
    [JsonPropertyName("exitcode")]
    public int? ExitCode { get; init; }
}

/// <summary>Consecutive lines of a file.</summary>
/// <param name="Offset">Number of the first line, from 0.</param>
internal sealed record FileLines(int Offset, IReadOnlyList<string> Content);

/// <summary>A file of a run.</summary>
/// <param name="Path">Path in the run's files, with slashes.</param>
internal sealed record MediaFile(string Path, ReadOnlyMemory<byte> Content);

/// <summary>Thrown when the server refuses a request.</summary>
/// <param name="isPassing">True when the same request may succeed later, whatever the status.</param>
// By status as https://github.com/wandb/wandb/blob/main/core/internal/clients/retry_policy.go
internal sealed class WandbException(HttpStatusCode status, string message, TimeSpan? retryAfter = null, bool isPassing = false)
    : TrackingException(status, message, retryAfter)
{
    /// <inheritdoc/>
    public override bool IsPassing => isPassing || base.IsPassing;
}
