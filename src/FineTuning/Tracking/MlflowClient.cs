using System.Net;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Net.Mime;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace FunctionsPipeline.FineTuning.Tracking;

/// <summary>Client for the calls of MLflow's REST API that a run needs: https://mlflow.org/docs/latest/rest-api.html.</summary>
/// <exception cref="MlflowException">Thrown by every method: the server refused the request.</exception>
/// <exception cref="HttpRequestException">Thrown by every method: the server could not be reached.</exception>
internal sealed class MlflowClient : IDisposable
{
    /// <summary>Maximum number of metrics of one call.</summary>
    // The limits of runs/log-batch in MLflow's REST API.
    public const int MostMetrics = 1000;

    /// <summary>Maximum number of parameters of one call.</summary>
    public const int MostParameters = 100;

    /// <summary>Name of the tag that identifies a run on the server.</summary>
    public const string RunTag = "functions_pipeline_run";

    /// <summary>
    /// Scheme of the artifact URIs of servers that hand artifacts on to their store. Other stores want clients and credentials of their
    /// own.
    /// </summary>
    public const string ArtifactScheme = "mlflow-artifacts";

    // MLflow's page groups runs by any tag.
    private const string SweepTag = "functions_pipeline_sweep";

    // Azure Machine Learning's limit for a parameter's value, in characters; newer MLflow servers accept more.
    private const int MostValueLength = 500;

    private static readonly JsonSerializerOptions Json = new() { DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull };

    private readonly HttpClient _http;
    private readonly Uri _server;
    private readonly Uri _api;

    public MlflowClient(MlflowOptions options)
    {
        _server = options.Server;
        _api = new Uri($"{options.Server.AbsoluteUri.TrimEnd('/')}/api/2.0/mlflow/");
        _http = new HttpClient { Timeout = Timeout.InfiniteTimeSpan };
        _http.DefaultRequestHeaders.Authorization = options.Authorization;
    }

    /// <summary>Returns the id of an experiment, which is created when there is none of that name.</summary>
    public async Task<string> ExperimentAsync(string name, CancellationToken cancellationToken)
    {
        try
        {
            var found = await SendAsync(
                HttpMethod.Get, $"experiments/get-by-name?experiment_name={Uri.EscapeDataString(name)}", null, cancellationToken);
            return found.GetProperty("experiment").GetProperty("experiment_id").GetString()!;
        }
        catch (MlflowException e) when (e.Code == "RESOURCE_DOES_NOT_EXIST")
        {
            return (await PostAsync("experiments/create", new { name }, cancellationToken)).GetProperty("experiment_id").GetString()!;
        }
    }

    /// <summary>Returns the newest MLflow run that tracks a run; null when there is none.</summary>
    public async Task<MlflowRunInfo?> FindRunAsync(string experiment, string run, CancellationToken cancellationToken)
    {
        var found = await PostAsync("runs/search", new
        {
            experiment_ids = new[] { experiment },
            filter = $"tags.{RunTag} = '{run}'",
            order_by = new[] { "attributes.start_time DESC" },
            max_results = 1,
        }, cancellationToken);
        return found.TryGetProperty("runs", out var runs) && runs.GetArrayLength() > 0
            ? MlflowRunInfo.Of(runs[0]) : null;
    }

    /// <summary>Creates an MLflow run that tracks a run.</summary>
    /// <param name="sweep">The sweep that the run belongs to; null for none.</param>
    public async Task<MlflowRunInfo> CreateRunAsync(
        string experiment, string run, string? sweep, DateTimeOffset started, CancellationToken cancellationToken)
    {
        var tags = new List<(string Key, string Value)> { (RunTag, run), ("mlflow.runName", run) };
        if (sweep is not null) tags.Add((SweepTag, sweep));
        var created = await PostAsync("runs/create", new
        {
            experiment_id = experiment,
            run_name = run,
            start_time = started.ToUnixTimeMilliseconds(),
            tags = tags.Select(tag => new { key = tag.Key, value = tag.Value }),
        }, cancellationToken);
        return MlflowRunInfo.Of(created.GetProperty("run"));
    }

    /// <summary>Sets a run's status: <c>RUNNING</c>, or <c>FINISHED</c>, <c>FAILED</c> or <c>KILLED</c> with the time of its end.</summary>
    public Task UpdateRunAsync(string id, string status, DateTimeOffset? ended, CancellationToken cancellationToken) =>
        PostAsync("runs/update", new { run_id = id, status, end_time = ended?.ToUnixTimeMilliseconds() }, cancellationToken);

    /// <summary>Logs at most <see cref="MostMetrics"/> metrics.</summary>
    public Task LogAsync(string id, IEnumerable<MlflowMetric> metrics, CancellationToken cancellationToken) =>
        PostAsync("runs/log-batch", new
        {
            run_id = id,
            metrics = metrics.Select(metric => new { key = metric.Name, value = metric.Value, timestamp = metric.At, step = metric.Step }),
        }, cancellationToken);

    /// <summary>
    /// Logs at most <see cref="MostParameters"/> parameters. Logging a parameter again succeeds while its value is the same.
    /// </summary>
    public Task LogAsync(string id, IEnumerable<(string Name, string Value)> parameters, CancellationToken cancellationToken) =>
        PostAsync("runs/log-batch", new
        {
            run_id = id,
            @params = parameters.Select(p => new { key = p.Name, value = p.Value[..Math.Min(p.Value.Length, MostValueLength)] }),
        }, cancellationToken);

    /// <summary>Writes an artifact through the server and replaces an existing one.</summary>
    /// <param name="run">Run whose artifact URI has the <see cref="ArtifactScheme"/>.</param>
    /// <param name="path">Path of the artifact in the run, such as <c>model/README.md</c>.</param>
    public async Task WriteArtifactAsync(MlflowRunInfo run, string path, Stream content, CancellationToken cancellationToken)
    {
        // As MLflow's own client resolves these URIs: the host is the tracking server's unless the URI names one.
        var root = new Uri(run.ArtifactUri);
        var host = root.Host.Length > 0 ? $"{_server.Scheme}://{root.Authority}" : _server.GetLeftPart(UriPartial.Authority);
        var file = string.Join('/', path.Split('/').Select(Uri.EscapeDataString));
        var url = $"{host}{_server.AbsolutePath.TrimEnd('/')}/api/2.0/mlflow-artifacts/artifacts{root.AbsolutePath.TrimEnd('/')}/{file}";
        var body = new StreamContent(content) { Headers = { ContentType = new MediaTypeHeaderValue(MediaType(path)) } };
        await SendAsync(HttpMethod.Put, url, body, cancellationToken);
    }

    /// <summary>
    /// Registers a folder of a run's artifacts as a version of a registered model, unless it is one already. The model is created when
    /// there is none of that name.
    /// </summary>
    /// <param name="tags">Tags of the version.</param>
    public async Task RegisterAsync(
        string name, MlflowRunInfo run, string folder, IEnumerable<(string Key, string Value)> tags, CancellationToken cancellationToken)
    {
        // Searched first: the call is repeated when its answer is lost, and must then find the version that it created.
        var filter = Uri.EscapeDataString($"run_id='{run.Id}'");
        var found = await SendAsync(HttpMethod.Get, $"model-versions/search?filter={filter}", null, cancellationToken);
        if (found.TryGetProperty("model_versions", out var versions)
            && versions.EnumerateArray().Any(version => version.GetProperty("name").GetString() == name)) return;
        try
        {
            await PostAsync("registered-models/create", new { name }, cancellationToken);
        }
        catch (MlflowException e) when (e.Code == "RESOURCE_ALREADY_EXISTS")
        {
            // Of an earlier run.
        }
        await PostAsync("model-versions/create", new
        {
            name,
            source = $"{run.ArtifactUri.TrimEnd('/')}/{folder}",
            run_id = run.Id,
            tags = tags.Select(tag => new { key = tag.Key, value = tag.Value }),
        }, cancellationToken);
    }

    public void Dispose() => _http.Dispose();

    private static string MediaType(string path) => Path.GetExtension(path) switch
    {
        ".html" => MediaTypeNames.Text.Html,
        ".csv" => MediaTypeNames.Text.Csv,
        ".json" => MediaTypeNames.Application.Json,
        ".md" => MediaTypeNames.Text.Markdown,
        _ => MediaTypeNames.Application.Octet,
    };

    private Task<JsonElement> PostAsync(string path, object body, CancellationToken cancellationToken) =>
        SendAsync(HttpMethod.Post, path, JsonContent.Create(body, options: Json), cancellationToken);

    private async Task<JsonElement> SendAsync(HttpMethod method, string path, HttpContent? body, CancellationToken cancellationToken)
    {
        using var request = new HttpRequestMessage(method, new Uri(_api, path)) { Content = body };
        using var response = await _http.SendAsync(request, cancellationToken);
        var text = await response.Content.ReadAsStringAsync(cancellationToken);
        if (response.IsSuccessStatusCode)
            return Parse(text) ?? throw new HttpRequestException($"{request.RequestUri} did not answer JSON");
        var code = Parse(text) is { ValueKind: JsonValueKind.Object } problem && problem.TryGetProperty("error_code", out var word)
            ? $"{word}"
            : "";
        var retryAfter = response.Headers.RetryAfter is { } after ? after.Delta ?? after.Date - DateTimeOffset.UtcNow : null;
        var shown = text.Length > MostValueLength ? text[..MostValueLength] : text;
        // A server that was started without its artifact service answers with the status of an outage, which would be waited for.
        var status = text.Contains("--serve-artifacts", StringComparison.Ordinal) ? HttpStatusCode.NotImplemented : response.StatusCode;
        throw new MlflowException(
            status, code, $"{request.RequestUri} answered {(int)response.StatusCode}: {shown}", retryAfter);
    }

    private static JsonElement? Parse(string text)
    {
        try
        {
            return JsonElement.Parse(text);
        }
        catch (JsonException)
        {
            return null;
        }
    }
}

/// <summary>Run on an MLflow server.</summary>
/// <param name="ArtifactUri">Folder of the run's artifacts, such as <c>mlflow-artifacts:/7/a1b2/artifacts</c>.</param>
internal readonly record struct MlflowRunInfo(string Id, string ArtifactUri)
{
    /// <summary>Reads a run of the server's JSON.</summary>
    public static MlflowRunInfo Of(JsonElement run)
    {
        var info = run.GetProperty("info");
        return new MlflowRunInfo(
            info.GetProperty("run_id").GetString()!, info.TryGetProperty("artifact_uri", out var uri) ? uri.GetString()! : "");
    }
}

/// <summary>A value of a metric.</summary>
/// <param name="At">Unix time in milliseconds.</param>
internal readonly record struct MlflowMetric(string Name, double Value, long At, int Step);

/// <summary>Thrown when an MLflow server refuses a request.</summary>
/// <param name="code">MLflow's <c>error_code</c>, such as <c>RESOURCE_DOES_NOT_EXIST</c>; empty when the response has none.</param>
internal sealed class MlflowException(HttpStatusCode status, string code, string message, TimeSpan? retryAfter)
    : TrackingException(status, message, retryAfter)
{
    public string Code => code;
}
