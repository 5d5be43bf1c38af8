using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace FunctionsPipeline.FineTuning.Tests.Tracking;

/// <summary>An MLflow server on a free port that remembers what it is told, and answers as badly as a test wants.</summary>
internal sealed class FakeMlflow : IAsyncDisposable
{
    private const string Prefix = "/tracking/api/2.0/mlflow/";

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

    /// <summary>Delay of every answer.</summary>
    public TimeSpan Delay { get; set; }

    /// <summary>Experiments by name, with their ids.</summary>
    public ConcurrentDictionary<string, string> Experiments { get; } = new();

    /// <summary>Runs by id, each with its status.</summary>
    public ConcurrentDictionary<string, (JsonNode Created, string Status)> Runs { get; } = new();

    public ConcurrentQueue<JsonNode> Metrics { get; } = new();

    public ConcurrentDictionary<string, string> Parameters { get; } = new();

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
        using var reader = new StreamReader(context.Request.InputStream);
        var text = await reader.ReadToEndAsync();
        var path = context.Request.Url!.AbsolutePath[Prefix.Length..];
        var body = text.Length == 0 ? null : JsonNode.Parse(text);
        Calls.Enqueue((path, body, context.Request.Headers["Authorization"]));
        await Task.Delay(Delay);
        var (status, answer) = Fault(path) is { } fault
            ? (fault.Status, new { error_code = "X" })
            : Answer(path, body, context.Request.QueryString["experiment_name"]);
        if (Fault(path)?.RetryAfter is { } after) context.Response.Headers["Retry-After"] = after;
        context.Response.StatusCode = status;
        await JsonSerializer.SerializeAsync(context.Response.OutputStream, answer);
        context.Response.Close();
    }

    private (int Status, object Answer) Answer(string path, JsonNode? body, string? name)
    {
        switch (path)
        {
            case "experiments/get-by-name":
                return Experiments.TryGetValue(name!, out var id)
                    ? (200, new { experiment = new { experiment_id = id } })
                    : (404, new { error_code = "RESOURCE_DOES_NOT_EXIST", message = "no" });
            case "experiments/create":
                return (200, new { experiment_id = Experiments[(string)body!["name"]!] = "7" });
            case "runs/search":
                var tag = ((string)body!["filter"]!).Split('\'')[1];
                var found = Runs.Where(run => (string)run.Value.Created["tags"]![0]!["value"]! == tag);
                return (200, new { runs = found.Select(run => new { info = new { run_id = run.Key } }) });
            case "runs/create":
                var created = $"run{Runs.Count}";
                Runs[created] = (body!, "RUNNING");
                return (200, new { run = new { info = new { run_id = created } } });
            case "runs/update":
                Runs[(string)body!["run_id"]!] = (Runs[(string)body["run_id"]!].Created, (string)body["status"]!);
                return (200, new { });
            default:
                foreach (var metric in body!["metrics"]?.AsArray() ?? []) Metrics.Enqueue(metric!);
                foreach (var parameter in body["params"]?.AsArray() ?? [])
                    Parameters[(string)parameter!["key"]!] = (string)parameter["value"]!;
                return (200, new { });
        }
    }
}
