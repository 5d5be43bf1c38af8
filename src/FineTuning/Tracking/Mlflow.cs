using System.Net;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization;
using System.Threading.Channels;
using FunctionsPipeline.Contracts;
using Microsoft.Extensions.Logging;

namespace FunctionsPipeline.FineTuning.Tracking;

/// <summary>
/// Tracks a run on an MLflow server in the background. A slow or failing server costs metrics at worst, never the run: the queue is bounded
/// and drops its oldest entries, and the end of the run waits for a limited time. An attempt that resumes from a checkpoint continues the
/// same MLflow run, where steps that are repeated have two values.
/// </summary>
internal sealed class MlflowTracking : IMetricsSink, IAsyncDisposable
{
    private const int MostWaiting = 100_000;

    private readonly MlflowOptions _options;
    private readonly MlflowTimes _times;
    private readonly TrainingJob _job;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly MlflowClient _client;
    private readonly CancellationTokenSource _stop = new();
    private readonly Channel<MlflowMetric> _waiting =
        Channel.CreateBounded<MlflowMetric>(new BoundedChannelOptions(MostWaiting) { FullMode = BoundedChannelFullMode.DropOldest });

    private readonly Task _loop;
    private volatile string _end = "KILLED";
    private long? _warned;

    public MlflowTracking(MlflowOptions options, TrainingJob job, TimeProvider time, ILogger logger, MlflowTimes? times = null)
    {
        _options = options;
        _job = job;
        _time = time;
        _logger = logger;
        _times = times ?? new MlflowTimes();
        _client = new MlflowClient(options, _times.Call);
        _loop = Task.Run(RunAsync);
    }

    /// <inheritdoc/>
    public void Record(MetricsLine line) => Add(line.Step, MetricScalars.Of(line));

    /// <inheritdoc/>
    public Task FlushAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    /// <inheritdoc/>
    public Task EndAsync(TrainingResult? result, CancellationToken cancellationToken)
    {
        if (result is not null) Add(result.Steps, MetricScalars.Of(result));
        _end = result is null ? "KILLED" : result.Succeeded ? "FINISHED" : "FAILED";
        return FinishAsync();
    }

    /// <summary>Ends the tracking, as that of a stopped run unless <c>EndAsync</c> was called.</summary>
    public async ValueTask DisposeAsync()
    {
        await FinishAsync();
        _client.Dispose();
        _stop.Dispose();
    }

    private async Task FinishAsync()
    {
        _waiting.Writer.TryComplete();
        if (await Task.WhenAny(_loop, Task.Delay(_times.End, _time)) != _loop)
        {
            _logger.MlflowIncomplete(_job.Run);
            await _stop.CancelAsync();
        }
        await _loop;
    }

    private async Task RunAsync()
    {
        try
        {
            string? id = null;
            if (!await PersistAsync(async () => id = await StartAsync())) return;
            foreach (var some in Parameters().Chunk(MlflowClient.MostParameters))
            {
                await PersistAsync(() => _client.LogAsync(id!, some, _stop.Token));
            }
            while (await _waiting.Reader.WaitToReadAsync(_stop.Token))
            {
                var metrics = new List<MlflowMetric>();
                while (metrics.Count < MlflowClient.MostMetrics && _waiting.Reader.TryRead(out var metric)) metrics.Add(metric);
                await PersistAsync(() => _client.LogAsync(id!, metrics, _stop.Token));
                // The pause collects many metrics for one call, and ends early when no more will come.
                await Task.WhenAny(Task.Delay(_times.Pause, _time, _stop.Token), _waiting.Reader.Completion);
            }
            await PersistAsync(() => _client.UpdateRunAsync(id!, _end, _time.GetUtcNow(), _stop.Token));
        }
        catch (OperationCanceledException) when (_stop.IsCancellationRequested)
        {
            // The time limit at the end of the run has passed.
        }
        catch (Exception e)
        {
            // Any other failure must not stop the training run.
            _logger.MlflowFailed(_options.Server, e.Message);
        }
    }

    private async Task<string> StartAsync()
    {
        var experiment = await _client.ExperimentAsync(_options.Experiment, _stop.Token);
        // Searched first: the call is repeated when its answer is lost, and must then find the run that it created.
        if (await _client.FindRunAsync(experiment, _job.Run, _stop.Token) is not { } id)
            return await _client.CreateRunAsync(experiment, _job.Run, _job.Sweep, _time.GetUtcNow(), _stop.Token);
        await _client.UpdateRunAsync(id, "RUNNING", ended: null, _stop.Token);
        return id;
    }

    private IEnumerable<(string Name, string Value)> Parameters() =>
    [
        ("baseModel", _job.BaseModel),
        ("outputModel", _job.OutputModel),
        ("dataset", _job.Dataset ?? ""),
        .. FlatSettings.Of(_job.Settings),
    ];

    /// <summary>Repeats a call until it succeeds or is refused for good.</summary>
    /// <returns>False when the call was refused for good.</returns>
    private async Task<bool> PersistAsync(Func<Task> call)
    {
        // Repeats without a limit of its own: the bounded queue drops its oldest entries, and FinishAsync ends the repetition by _stop.
        for (var wait = _times.FirstWait; ; wait = TimeSpan.FromTicks(Math.Min(2 * wait.Ticks, _times.LongestWait.Ticks)))
        {
            var server = default(TimeSpan?);
            try
            {
                await call();
                return true;
            }
            // HttpClient reports its own time limit as a cancellation.
            catch (Exception e) when (
                !_stop.IsCancellationRequested && e is MlflowException or HttpRequestException or OperationCanceledException)
            {
                Warn(e);
                if (e is MlflowException refusal)
                {
                    if (!refusal.IsPassing) return false;
                    server = refusal.RetryAfter;
                }
            }
            await Task.Delay(server > wait ? server.Value : wait, _time, _stop.Token);
        }
    }

    private void Warn(Exception e)
    {
        if (_warned is { } last && _time.GetElapsedTime(last) < _times.BetweenWarnings) return;
        _warned = _time.GetTimestamp();
        _logger.MlflowFailed(_options.Server, e.Message);
    }

    private void Add(int step, IEnumerable<(string Name, double Value)> scalars)
    {
        var now = _time.GetUtcNow().ToUnixTimeMilliseconds();
        foreach (var (name, value) in scalars) _waiting.Writer.TryWrite(new MlflowMetric(name, value, now, step));
    }
}

/// <summary>Time limits and pauses of tracking.</summary>
internal sealed record MlflowTimes
{
    /// <summary>Time limit of one call.</summary>
    public TimeSpan Call { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>Pause between two calls that log metrics.</summary>
    public TimeSpan Pause { get; init; } = TimeSpan.FromSeconds(2);

    /// <summary>Pause after the first failed call, doubled after each further one.</summary>
    public TimeSpan FirstWait { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>Longest pause after a failed call, unless the server asks for a longer one.</summary>
    public TimeSpan LongestWait { get; init; } = TimeSpan.FromMinutes(1);

    /// <summary>Time limit for logging everything that is pending when the run has ended.</summary>
    public TimeSpan End { get; init; } = TimeSpan.FromSeconds(15);

    /// <summary>Shortest interval between two warnings in the log.</summary>
    public TimeSpan BetweenWarnings { get; init; } = TimeSpan.FromMinutes(5);
}

/// <summary>
/// Options of tracking, from MLflow's environment variables
/// (https://mlflow.org/docs/latest/api_reference/python_api/mlflow.environment_variables.html).
/// </summary>
/// <param name="Server">URL of the tracking server, http or https.</param>
/// <param name="Experiment">Name of the experiment, which is created when there is none.</param>
/// <param name="Authorization">Authorization header of every request; null for none.</param>
public sealed record MlflowOptions(Uri Server, string Experiment, AuthenticationHeaderValue? Authorization)
{
    private const string DefaultExperiment = "functions-pipeline";

    /// <summary>
    /// Reads the options; null when <c>MLFLOW_TRACKING_URI</c> is not set. A value that is not a server's URL gives null and a logged
    /// warning, since tracking must not keep a run from training.
    /// </summary>
    /// <param name="variable">Returns the value of an environment variable.</param>
    public static MlflowOptions? Read(Func<string, string?> variable, ILogger logger)
    {
        if (variable("MLFLOW_TRACKING_URI") is not { Length: > 0 } text) return null;
        if (!Uri.TryCreate(text, UriKind.Absolute, out var server) || server.Scheme is not ("http" or "https" or "azureml"))
        {
            logger.MlflowUnusable(text);
            return null;
        }
        // Azure Machine Learning serves MLflow's protocol at the same URL with the scheme https.
        if (server.Scheme == "azureml") server = new UriBuilder(server) { Scheme = Uri.UriSchemeHttps, Port = server.Port }.Uri;
        var experiment = variable("MLFLOW_EXPERIMENT_NAME") is { Length: > 0 } name ? name : DefaultExperiment;
        return new MlflowOptions(server, experiment, Credentials(variable));
    }

    private static AuthenticationHeaderValue? Credentials(Func<string, string?> variable)
    {
        if (variable("MLFLOW_TRACKING_TOKEN") is { Length: > 0 } token) return new AuthenticationHeaderValue("Bearer", token);
        if (variable("MLFLOW_TRACKING_USERNAME") is not { Length: > 0 } user) return null;
        var pair = Encoding.UTF8.GetBytes($"{user}:{variable("MLFLOW_TRACKING_PASSWORD")}");
        return new AuthenticationHeaderValue("Basic", Convert.ToBase64String(pair));
    }
}

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
    private const string RunTag = "functions_pipeline_run";

    // MLflow's page groups runs by any tag.
    private const string SweepTag = "functions_pipeline_sweep";

    // Azure Machine Learning's limit for a parameter's value, in characters; newer MLflow servers accept more.
    private const int MostValueLength = 500;

    private static readonly JsonSerializerOptions Json = new() { DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull };

    private readonly HttpClient _http;
    private readonly Uri _server;

    /// <param name="timeout">Time limit of one call.</param>
    public MlflowClient(MlflowOptions options, TimeSpan timeout)
    {
        _server = new Uri($"{options.Server.AbsoluteUri.TrimEnd('/')}/api/2.0/mlflow/");
        _http = new HttpClient { Timeout = timeout };
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

    /// <summary>Returns the id of the newest MLflow run that tracks a run; null when there is none.</summary>
    public async Task<string?> FindRunAsync(string experiment, string run, CancellationToken cancellationToken)
    {
        var found = await PostAsync("runs/search", new
        {
            experiment_ids = new[] { experiment },
            filter = $"tags.{RunTag} = '{run}'",
            order_by = new[] { "attributes.start_time DESC" },
            max_results = 1,
        }, cancellationToken);
        return found.TryGetProperty("runs", out var runs) && runs.GetArrayLength() > 0
            ? runs[0].GetProperty("info").GetProperty("run_id").GetString() : null;
    }

    /// <summary>Creates an MLflow run that tracks a run.</summary>
    /// <param name="sweep">The sweep that the run belongs to; null for none.</param>
    /// <returns>The id of the MLflow run.</returns>
    public async Task<string> CreateRunAsync(
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
        return created.GetProperty("run").GetProperty("info").GetProperty("run_id").GetString()!;
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

    public void Dispose() => _http.Dispose();

    private Task<JsonElement> PostAsync(string path, object body, CancellationToken cancellationToken) =>
        SendAsync(HttpMethod.Post, path, JsonContent.Create(body, options: Json), cancellationToken);

    private async Task<JsonElement> SendAsync(HttpMethod method, string path, HttpContent? body, CancellationToken cancellationToken)
    {
        using var request = new HttpRequestMessage(method, new Uri(_server, path)) { Content = body };
        using var response = await _http.SendAsync(request, cancellationToken);
        var text = await response.Content.ReadAsStringAsync(cancellationToken);
        if (response.IsSuccessStatusCode)
            return Parse(text) ?? throw new HttpRequestException($"{request.RequestUri} did not answer JSON");
        var code = Parse(text) is { ValueKind: JsonValueKind.Object } problem && problem.TryGetProperty("error_code", out var word)
            ? $"{word}"
            : "";
        var retryAfter = response.Headers.RetryAfter is { } after ? after.Delta ?? after.Date - DateTimeOffset.UtcNow : null;
        var shown = text.Length > MostValueLength ? text[..MostValueLength] : text;
        throw new MlflowException(
            response.StatusCode, code, $"{request.RequestUri} answered {(int)response.StatusCode}: {shown}", retryAfter);
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

/// <summary>A value of a metric.</summary>
/// <param name="At">Unix time in milliseconds.</param>
internal readonly record struct MlflowMetric(string Name, double Value, long At, int Step);

/// <summary>Thrown when the tracking server refuses a request.</summary>
/// <param name="code">MLflow's <c>error_code</c>, such as <c>RESOURCE_DOES_NOT_EXIST</c>; empty when the response has none.</param>
/// <param name="retryAfter">Time to wait before a retry, from the response's Retry-After header; null without one.</param>
internal sealed class MlflowException(HttpStatusCode status, string code, string message, TimeSpan? retryAfter) : Exception(message)
{
    public string Code => code;

    public TimeSpan? RetryAfter => retryAfter;

    /// <summary>True when the same request may succeed later.</summary>
    public bool IsPassing => (int)status >= 500 || status is HttpStatusCode.TooManyRequests or HttpStatusCode.RequestTimeout;
}
