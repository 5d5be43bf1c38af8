using System.Collections.Concurrent;
using System.Collections.Specialized;
using System.Net;
using System.Net.Sockets;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace FunctionsPipeline.FineTuning.Tests.Tracking;

/// <summary>
/// An MLflow server on a free port that remembers what it is told, and answers as badly as a test wants. Its limits and refusals are those
/// of https://mlflow.org/docs/latest/rest-api.html and of the server's handlers.
/// </summary>
internal sealed class FakeMlflow : IAsyncDisposable
{
    private const string Prefix = "/tracking/api/2.0/";

    private readonly HttpListener _listener;
    private readonly Task _loop;

    public FakeMlflow()
    {
        (_listener, Server) = Listen();
        _loop = Task.Run(AnswerAsync);
    }

    public Uri Server { get; }

    /// <summary>Requests so far, answered or not.</summary>
    public ConcurrentQueue<(string Path, JsonNode? Body, string? Authorization)> Calls { get; } = new();

    /// <summary>Changes the answer to a call; null leaves the answer as it is.</summary>
    public Func<string, (int Status, string? RetryAfter)?> Fault { get; set; } = _ => null;

    /// <summary>True to answer a call with an error although it was done, as when the response is lost.</summary>
    public Func<string, bool> Lose { get; set; } = _ => false;

    /// <summary>Delay of every answer.</summary>
    public TimeSpan Delay { get; set; }

    /// <summary>Experiments by name, with their ids.</summary>
    public ConcurrentDictionary<string, string> Experiments { get; } = new();

    /// <summary>Runs by id, each with its status.</summary>
    public ConcurrentDictionary<string, (JsonNode Created, string Status)> Runs { get; } = new();

    public ConcurrentQueue<JsonNode> Metrics { get; } = new();

    public ConcurrentDictionary<string, string> Parameters { get; } = new();

    /// <summary>Root of the artifact URIs of runs.</summary>
    public string ArtifactRoot { get; set; } = "mlflow-artifacts:/7";

    /// <summary>False for a server that was started without its artifact service.</summary>
    public bool ServesArtifacts { get; init; } = true;

    /// <summary>Artifacts by their paths, the run's included.</summary>
    public ConcurrentDictionary<string, byte[]> Artifacts { get; } = new();

    public ConcurrentDictionary<string, bool> RegisteredModels { get; } = new();

    /// <summary>Requests that created versions of models.</summary>
    public ConcurrentQueue<JsonNode> ModelVersions { get; } = new();

    public async ValueTask DisposeAsync()
    {
        _listener.Close();
        await _loop;
    }

    private static (HttpListener, Uri) Listen()
    {
        for (var tries = 0; ; tries++)
        {
            using (var probe = new TcpListener(IPAddress.Loopback, 0))
            {
                probe.Start();
                var server = new Uri($"http://127.0.0.1:{((IPEndPoint)probe.LocalEndpoint).Port}/tracking");
                probe.Stop();
                var listener = new HttpListener { Prefixes = { server.GetLeftPart(UriPartial.Authority) + "/" } };
                try
                {
                    listener.Start();
                    return (listener, server);
                }
                catch (HttpListenerException) when (tries < 10)
                {
                    // Somebody else took the port meanwhile.
                }
            }
        }
    }

    private async Task AnswerAsync()
    {
        while (true)
        {
            HttpListenerContext context;
            try
            {
                context = await _listener.GetContextAsync();
            }
            catch (Exception e) when (e is HttpListenerException or ObjectDisposedException or InvalidOperationException)
            {
                return;
            }
            try
            {
                await AnswerAsync(context);
            }
            catch (Exception e) when (e is HttpListenerException or ObjectDisposedException or IOException)
            {
                // The client did not wait.
            }
        }
    }

    private async Task AnswerAsync(HttpListenerContext context)
    {
        using var received = new MemoryStream();
        await context.Request.InputStream.CopyToAsync(received);
        var path = Uri.UnescapeDataString(context.Request.Url!.AbsolutePath)[Prefix.Length..];
        var isJson = path.StartsWith("mlflow/", StringComparison.Ordinal);
        if (isJson) path = path["mlflow/".Length..];
        var body = isJson && received.Length > 0 ? JsonNode.Parse(received.ToArray()) : null;
        Calls.Enqueue((path, body, context.Request.Headers["Authorization"]));
        await Task.Delay(Delay);
        var fault = Fault(path);
        var (status, answer) = fault is { } wanted ? (wanted.Status, new { error_code = "X" })
            : isJson ? Answer(path, body, context.Request.QueryString)
            : Keep(path, received.ToArray(), context.Request.HttpMethod);
        if (Lose(path)) status = 502;
        if (fault?.RetryAfter is { } after) context.Response.Headers["Retry-After"] = after;
        context.Response.StatusCode = status;
        await JsonSerializer.SerializeAsync(context.Response.OutputStream, answer);
        context.Response.Close();
    }

    private (int Status, object Answer) Keep(string path, byte[] content, string method)
    {
        const string artifacts = "mlflow-artifacts/artifacts/";
        if (!path.StartsWith(artifacts, StringComparison.Ordinal) || method != "PUT") return (404, "Not Found");
        if (!ServesArtifacts)
        {
            return (503, $"Endpoint: /api/2.0/{path} disabled due to the mlflow server running with `--no-serve-artifacts`. To enable "
                + "artifacts server functionality, run `mlflow server` with `--serve-artifacts`");
        }
        if (path.Split('/').Contains("..")) return (400, Refusal("INVALID_PARAMETER_VALUE"));
        Artifacts[path[artifacts.Length..]] = content;
        return (200, new { });
    }

    private (int Status, object Answer) Answer(string path, JsonNode? body, NameValueCollection query)
    {
        switch (path)
        {
            case "experiments/get-by-name":
                return Experiments.TryGetValue(query["experiment_name"]!, out var id)
                    ? (200, new { experiment = new { experiment_id = id } })
                    : (404, Refusal("RESOURCE_DOES_NOT_EXIST"));
            case "experiments/create":
                return (200, new { experiment_id = Experiments[(string)body!["name"]!] = "7" });
            case "runs/search":
                var tag = Quoted((string)body!["filter"]!);
                var found = Runs.Where(run => (string)run.Value.Created["tags"]![0]!["value"]! == tag);
                return (200, new { runs = found.Select(run => Run(run.Key)) });
            case "runs/create":
                var created = $"run{Runs.Count}";
                Runs[created] = (body!, "RUNNING");
                return (200, new { run = Run(created) });
            case "runs/update":
                Runs[(string)body!["run_id"]!] = (Runs[(string)body["run_id"]!].Created, (string)body["status"]!);
                return (200, new { });
            case "runs/log-batch":
                return Log(body!["metrics"]?.AsArray() ?? [], body["params"]?.AsArray() ?? []);
            case "registered-models/create":
                return RegisteredModels.TryAdd((string)body!["name"]!, true)
                    ? (200, new { registered_model = new { name = (string)body["name"]! } })
                    : (400, Refusal("RESOURCE_ALREADY_EXISTS"));
            case "model-versions/search":
                var run = Quoted(query["filter"]!);
                var versions = ModelVersions.Where(version => (string)version["run_id"]! == run).ToList();
                // An empty list is left out.
                return (200, versions.Count == 0 ? new { } : new { model_versions = versions });
            case "model-versions/create":
                if (!RegisteredModels.ContainsKey((string)body!["name"]!)) return (404, Refusal("RESOURCE_DOES_NOT_EXIST"));
                ModelVersions.Enqueue(body);
                return (200, new { model_version = new { version = $"{ModelVersions.Count}" } });
            default:
                return (404, Refusal("ENDPOINT_NOT_FOUND"));
        }
    }

    private (int Status, object Answer) Log(JsonArray metrics, JsonArray parameters)
    {
        if (metrics.Count > 1000 || parameters.Count > 100 || metrics.Count + parameters.Count > 1000)
            return (400, Refusal("INVALID_PARAMETER_VALUE"));
        foreach (var parameter in parameters)
        {
            var value = (string)parameter!["value"]!;
            // A parameter keeps its value.
            if (Parameters.GetOrAdd((string)parameter["key"]!, value) != value) return (400, Refusal("INVALID_PARAMETER_VALUE"));
        }
        foreach (var metric in metrics) Metrics.Enqueue(metric!);
        return (200, new { });
    }

    private object Run(string id) => new { info = new { run_id = id, artifact_uri = $"{ArtifactRoot}/{id}/artifacts" } };

    private static object Refusal(string code) => new { error_code = code, message = "no" };

    private static string Quoted(string filter) => filter.Split('\'')[1];
}
