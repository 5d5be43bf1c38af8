using System.Collections.Concurrent;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace FunctionsPipeline.FineTuning.Tests.Tracking.Wandb;

/// <summary>
/// A Weights &amp; Biases server on a free port, made of what wandb's own client sends and expects (https://github.com/wandb/wandb, core
/// and tests/fixtures/wandb_backend_spy). It refuses what the protocol forbids, keeps what it is told, and fails as a test wants.
/// </summary>
internal sealed partial class FakeWandb : IAsyncDisposable
{
    public const string Key = "0123456789abcdef0123456789abcdef01234567";
    public const string Entity = "shop-team";

    private const int LongestLine = (10 << 20) - (100 << 10);
    private const int LongestRequest = 10 << 20;

    // What the operations may ask of the schema: https://github.com/wandb/wandb/tree/main/core/api/graphql
    private static readonly Dictionary<string, HashSet<string>> Schema = new()
    {
        ["RunResumeStatus"] = Words(
            "model id name entity bucket missingOk summaryMetrics displayName logLineCount historyLineCount eventsLineCount historyTail",
            "eventsTail config tags notes wandbConfig keys entityName true"),
        ["UpsertBucket"] = Words(
            "upsertBucket input id name groupName modelName entityName description displayName notes config commit host debug jobProgram",
            "jobRepo jobType state sweep tags summaryMetrics bucket sweepName project entity historyLineCount inserted"),
        ["CreateRunFiles"] = Words("createRunFiles input entityName projectName runName files runID uploadHeaders name uploadUrl"),
    };

    private readonly WebApplication _app;
    private readonly Lock _lock = new();

    private FakeWandb(WebApplication app) => _app = app;

    public Uri Server => new(_app.Urls.Single());

    /// <summary>Runs by entity, project and id.</summary>
    public Dictionary<(string Entity, string Project, string Run), FakeRun> Runs { get; } = [];

    /// <summary>Requests so far, as GraphQL's operation, <c>file_stream</c> or <c>storage</c>, answered or not.</summary>
    public ConcurrentQueue<string> Calls { get; } = new();

    /// <summary>Acts of a client that are never correct.</summary>
    public ConcurrentQueue<string> Violations { get; } = new();

    /// <summary>Answers a call otherwise; null leaves the answer as it is.</summary>
    public Func<string, Fault?> Fault { get; set; } = _ => null;

    /// <summary>Headers of answers of the file stream.</summary>
    public Dictionary<string, string> Headers { get; } = [];

    /// <summary>Answer of the file stream.</summary>
    public object StreamAnswer { get; set; } = new { exitcode = (int?)null, limits = new { } };

    /// <summary>Delay of every answer.</summary>
    public TimeSpan Delay { get; set; }

    /// <summary>The only run.</summary>
    public FakeRun Run
    {
        get
        {
            lock (_lock) return Runs.Single().Value;
        }
    }

    public static async Task<FakeWandb> StartAsync()
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.WebHost.UseUrls("http://127.0.0.1:0").ConfigureKestrel(kestrel => kestrel.Limits.MaxRequestBodySize = 100 << 20);
        builder.Logging.ClearProviders();
        var app = builder.Build();
        var server = new FakeWandb(app);
        app.MapPost("/graphql", context => server.AnswerAsync(context, server.GraphQL));
        app.MapPost("/files/{entity}/{project}/{run}/file_stream", context => server.AnswerAsync(context, server.Stream));
        app.MapPut("/storage/{entity}/{project}/{run}/{**path}", context => server.AnswerAsync(context, server.Store));
        await app.StartAsync();
        return server;
    }

    public async ValueTask DisposeAsync() => await _app.DisposeAsync();

    private async Task AnswerAsync(HttpContext context, Func<HttpContext, byte[], (int Status, object Body)> answer)
    {
        using var body = new MemoryStream();
        await context.Request.Body.CopyToAsync(body);
        var call = context.Request.Path.Value switch
        {
            "/graphql" => Operation().Match(Encoding.UTF8.GetString(body.ToArray())).Groups[1].Value,
            { } path when path.StartsWith("/storage", StringComparison.Ordinal) => "storage",
            _ => "file_stream",
        };
        Calls.Enqueue(call);
        await Task.Delay(Delay);
        var fault = Fault(call);
        var (status, content) = fault is { IsLost: false } ? (fault.Status, fault.Body) : Locked(() => answer(context, body.ToArray()));
        if (fault is { IsLost: true })
        {
            context.Abort();
            return;
        }
        if (call == "file_stream") foreach (var (name, value) in Headers) context.Response.Headers[name] = value;
        if (fault?.RetryAfter is { } after) context.Response.Headers.RetryAfter = after;
        context.Response.StatusCode = status;
        await context.Response.WriteAsync(content as string ?? JsonSerializer.Serialize(content));
    }

    private T Locked<T>(Func<T> action)
    {
        lock (_lock) return action();
    }

    private static bool IsKnown(HttpContext context) => context.Request.Headers.Authorization ==
        $"Basic {Convert.ToBase64String(Encoding.UTF8.GetBytes($"api:{Key}"))}";

    private static (int, object) Problem(int status, string message) => (status, new { errors = new[] { new { message } } });

    private static HashSet<string> Words(params string[] lines) => [.. lines.SelectMany(line => line.Split(' '))];

    private (int, object) GraphQL(HttpContext context, byte[] body)
    {
        if (!IsKnown(context)) return Problem(401, "user is not logged in");
        var request = JsonNode.Parse(body)!;
        var (query, variables) = ((string)request["query"]!, request["variables"]!.AsObject());
        var operation = Operation().Match(query).Groups[1].Value;
        if (Check(operation, query, variables) is { } problem) return Problem(400, problem);
        string? Text(string name) => (string?)variables[name];
        var entity = Text("entity") ?? Entity;
        if (entity != Entity) return Problem(404, $"entity {entity} not found");
        var key = (entity, Text("project") ?? "uncategorized", Text(operation == "CreateRunFiles" ? "run" : "name")!);
        var run = Runs.GetValueOrDefault(key);
        switch (operation)
        {
            case "RunResumeStatus":
                // A project without runs is none.
                if (!Runs.Keys.Any(known => known.Project == key.Item2)) return (200, new { data = new { model = (object?)null } });
                return (200, new { data = new { model = new { bucket = run?.Status } } });
            case "UpsertBucket":
                if (run is null) Runs[key] = run = new FakeRun();
                else if (Text("id") != run.Id) Violations.Enqueue("a run was changed without its id");
                run.Update(variables);
                var project = new { name = key.Item2, entity = new { name = entity } };
                return (200, new { data = new { upsertBucket = new { bucket = new { name = key.Item3, project } } } });
            case "CreateRunFiles":
                if (run is null) return Problem(404, "run not found");
                var files = variables["files"]!.AsArray().Select(file => (string)file!).ToList();
                run.Created.UnionWith(files);
                return (200, new
                {
                    data = new
                    {
                        createRunFiles = new
                        {
                            uploadHeaders = new[] { "x-goog-meta-run:" + run.Id, "Content-Type: image/png" },
                            files = files.Select(name => new
                            {
                                name,
                                uploadUrl = $"{Server}storage/{entity}/{key.Item2}/{key.Item3}/{name}?signature=secret",
                            }),
                        },
                    },
                });
            default:
                return Problem(400, $"unknown operation {operation}");
        }
    }

    /// <summary>Checks names and variables of an operation; null when all is well.</summary>
    private static string? Check(string operation, string query, JsonObject variables)
    {
        if (!Schema.TryGetValue(operation, out var known)) return $"unknown operation {operation}";
        var declared = Declaration().Matches(query)
            .ToDictionary(match => match.Groups[1].Value, match => match.Groups[2].Value.EndsWith('!'));
        var body = query[query.IndexOf('{')..];
        return Variable().Matches(body).Select(match => match.Groups[1].Value).Where(name => !declared.ContainsKey(name))
            .Select(name => $"undeclared variable ${name}")
            .Concat(declared.Where(one => one.Value && variables[one.Key] is null).Select(one => $"missing variable ${one.Key}"))
            .Concat(variables.Where(one => !declared.ContainsKey(one.Key)).Select(one => $"unknown variable ${one.Key}"))
            .Concat(Field().Matches(body).Select(match => match.Value).Where(name => !known.Contains(name))
                .Select(name => $"cannot query field {name}"))
            .FirstOrDefault();
    }

    private (int, object) Stream(HttpContext context, byte[] body)
    {
        if (!IsKnown(context)) return Problem(401, "user is not logged in");
        string Route(string name) => (string)context.Request.RouteValues[name]!;
        if (!Runs.TryGetValue((Route("entity"), Route("project"), Route("run")), out var run))
            return (404, new { error = "run not found" });
        if (body.Length > LongestRequest) return (413, new { error = "request too large" });
        var request = JsonNode.Parse(body)!.AsObject();
        string[] members = ["files", "uploaded", "preempting", "complete", "exitcode"];
        if (request.Select(part => part.Key).Except(members).FirstOrDefault() is { } odd)
            return (400, new { error = $"unknown member {odd}" });
        foreach (var (name, chunk) in request["files"]?.AsObject() ?? [])
        {
            var (offset, lines) = ((int)chunk!["offset"]!, chunk["content"]!.AsArray().Select(line => (string)line!).ToList());
            if (lines.Any(line => line.Length > LongestLine)) return (400, new { error = "line too long" });
            if (run.Write(name, offset, lines) is { } problem) return (400, new { error = problem });
        }
        foreach (var file in request["uploaded"]?.AsArray() ?? [])
        {
            if (!run.Uploads.ContainsKey((string)file!)) Violations.Enqueue($"{file} was told of and is not there");
            run.Told.Add((string)file!);
        }
        run.IsPreempting = request["preempting"] is not null;
        if (request["complete"] is not null) (run.State, run.ExitCode) = ("finished", (int)request["exitcode"]!);
        run.Requests++;
        return (200, StreamAnswer);
    }

    private (int, object) Store(HttpContext context, byte[] body)
    {
        string Route(string name) => (string)context.Request.RouteValues[name]!;
        var run = Runs[(Route("entity"), Route("project"), Route("run"))];
        if (context.Request.Headers.Authorization.Count > 0) Violations.Enqueue("storage got the key");
        if (context.Request.Query["signature"] != "secret" || !run.Created.Contains(Route("path")))
            return (403, "<Error>AccessDenied</Error>");
        if (context.Request.Headers["x-goog-meta-run"] != run.Id || context.Request.ContentType != "image/png")
            return (403, "<Error>SignatureDoesNotMatch</Error>");
        run.Uploads[Route("path")] = body;
        return (200, "");
    }

    [GeneratedRegex(@"(?:query|mutation) (\w+)")]
    private static partial Regex Operation();

    [GeneratedRegex(@"\$(\w+): (\[?\w+!?\]?!?)[,)\s]")]
    private static partial Regex Declaration();

    [GeneratedRegex(@"\$(\w+)")]
    private static partial Regex Variable();

    [GeneratedRegex(@"(?<![\$\w])[a-zA-Z]\w*")]
    private static partial Regex Field();
}

/// <summary>Failure of a call.</summary>
/// <param name="Body">Text, or an object to be written as JSON.</param>
/// <param name="IsLost">The call is carried out, and its answer lost.</param>
internal sealed record Fault(int Status = 500, object? Body = null, string? RetryAfter = null, bool IsLost = false)
{
    public object Body { get; } = Body ?? new { error = "X" };
}

/// <summary>A run as the server keeps it.</summary>
internal sealed class FakeRun
{
    private int _lastStep = -1;

    public string Id { get; } = Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(8));

    public JsonObject Settings { get; } = [];

    public List<string> History { get; } = [];

    public List<string> Events { get; } = [];

    public JsonNode? Summary { get; private set; }

    public string State { get; set; } = "running";

    public int? ExitCode { get; set; }

    public bool IsPreempting { get; set; }

    public int Requests { get; set; }

    /// <summary>Steps that went back, which the server drops.</summary>
    public List<int> Dropped { get; } = [];

    public HashSet<string> Created { get; } = [];

    public Dictionary<string, byte[]> Uploads { get; } = [];

    public HashSet<string> Told { get; } = [];

    public IReadOnlyList<JsonNode> Lines => [.. History.Select(line => JsonNode.Parse(line)!)];

    public IReadOnlyList<int> Steps => [.. Lines.Select(line => (int)line["_step"]!)];

    public JsonNode Config => JsonNode.Parse((string)Settings["config"]!)!;

    public object Status => new
    {
        id = Id,
        historyLineCount = History.Count,
        eventsLineCount = Events.Count,
        historyTail = JsonSerializer.Serialize(History.TakeLast(1)),
        eventsTail = JsonSerializer.Serialize(Events.TakeLast(1)),
    };

    public void Update(JsonObject variables)
    {
        foreach (var (name, value) in variables.Where(one => one.Value is not null)) Settings[name] = value!.DeepClone();
        (State, ExitCode) = ("running", null);
    }

    /// <summary>Writes lines at an offset; lines that are there must be the same.</summary>
    public string? Write(string name, int offset, IReadOnlyList<string> lines)
    {
        if (name == "wandb-summary.json")
        {
            Summary = JsonNode.Parse(lines.Single());
            return offset == 0 ? null : "the summary has one line";
        }
        var file = name == "wandb-history.jsonl" ? History : name == "wandb-events.jsonl" ? Events : null;
        if (file is null) return $"unknown file {name}";
        if (offset > file.Count) return $"{name} ends at {file.Count}, not at {offset}";
        for (var i = 0; i < lines.Count; i++)
        {
            if (offset + i < file.Count)
            {
                if (file[offset + i] != lines[i]) return $"line {offset + i} of {name} changed";
                continue;
            }
            var line = JsonNode.Parse(lines[i])!.AsObject();
            if (file == History)
            {
                var step = (int)line["_step"]!;
                if (step <= _lastStep) Dropped.Add(step);
                _lastStep = step;
            }
            if (file == Events && (bool?)line["_wandb"] != true) return "no system metrics";
            file.Add(lines[i]);
        }
        return null;
    }
}
