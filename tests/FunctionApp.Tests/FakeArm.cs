using System.Collections.Concurrent;
using System.Globalization;
using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text.Json;
using System.Text.Json.Nodes;
using Azure.Core;
using Azure.Core.Pipeline;
using FunctionsPipeline.FunctionApp.Gpu;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

namespace FunctionsPipeline.FunctionApp.Tests;

/// <summary>
/// Azure Resource Manager with one Container Apps job, by the published specification of Microsoft.App 2026-07-01: the operations Jobs_Get,
/// Jobs_Start, JobsExecutions_List, JobExecution and Jobs_StopExecution over TLS, and the identity endpoint of App Service. Requests that
/// the specification does not allow are refused and remembered.
/// </summary>
internal sealed class FakeArm : IAsyncDisposable
{
    public const string JobId =
        "/subscriptions/34adfa4f-cedf-4dc0-ba29-b6d1a69ab345/resourceGroups/rg-vision/providers/Microsoft.App/jobs/train-vision";

    /// <summary>Token that requests must carry.</summary>
    public const string Token = "token-of-the-app";

    public const string Image = "registry.azurecr.io/train:v2";

    // Two per page, so that a search has to follow nextLink.
    private const int PageSize = 2;

    // Definitions of the specification that a start may send, with the types of their members; read-only members are left out.
    private static readonly Dictionary<string, Dictionary<string, string>> Definitions = new()
    {
        ["JobExecutionTemplate"] = new() { ["containers"] = "JobExecutionContainer[]", ["initContainers"] = "JobExecutionContainer[]" },
        ["JobExecutionContainer"] = new()
        {
            ["image"] = "string", ["name"] = "string", ["command"] = "string[]", ["args"] = "string[]", ["env"] = "EnvironmentVar[]",
            ["resources"] = "ContainerResources",
        },
        ["EnvironmentVar"] = new() { ["name"] = "string", ["value"] = "string", ["secretRef"] = "string" },
        ["ContainerResources"] = new() { ["cpu"] = "number", ["memory"] = "string" },
    };

    private readonly WebApplication _app;
    private readonly X509Certificate2 _certificate;
    private readonly List<FakeExecution> _executions = [];
    private readonly ConcurrentDictionary<string, ConcurrentQueue<Fault>> _faults = new();
    private int _started;

    private FakeArm(WebApplication app, X509Certificate2 certificate) => (_app, _certificate) = (app, certificate);

    public Uri Url => new(_app.Urls.First(url => url.StartsWith("https", StringComparison.Ordinal)));

    /// <summary>Endpoint of managed identities, as App Service has it.</summary>
    public Uri IdentityEndpoint => new($"{_app.Urls.First(url => url.StartsWith("http:", StringComparison.Ordinal))}/msi/token");

    /// <summary>The job's resource.</summary>
    public JsonNode Job { get; } = JsonNode.Parse($$$"""
        {"id": "{{{JobId}}}", "name": "train-vision", "type": "Microsoft.App/jobs", "location": "Sweden Central",
         "properties": {
          "provisioningState": "Succeeded", "runningState": "Ready", "workloadProfileName": "gpu",
          "configuration": {"triggerType": "Manual", "replicaTimeout": 604800, "replicaRetryLimit": 0},
          "template": {
           "containers": [
            {"name": "train", "image": "{{{Image}}}", "imageType": "ContainerImage",
             "command": ["dotnet", "worker.dll"], "args": ["--help"],
             "env": [{"name": "PipelineStorage__credential", "value": "managedidentity"}, {"name": "KEY", "secretRef": "key"},
                     {"name": "RUN_ID", "value": "none"}],
             "resources": {"cpu": 24, "memory": "220Gi", "ephemeralStorage": "8Gi"},
             "probes": [], "volumeMounts": [{"volumeName": "cache", "mountPath": "/cache"}]},
            {"name": "sidecar", "image": "registry.azurecr.io/sidecar:v1"}],
           "initContainers": null, "volumes": [{"name": "cache", "storageType": "EmptyDir"}]} } }
        """)!;

    public IReadOnlyList<FakeExecution> Executions
    {
        get
        {
            lock (_executions) return [.. _executions];
        }
    }

    /// <summary>Requests that the specification does not allow.</summary>
    public ConcurrentQueue<string> Violations { get; } = new();

    /// <summary>Number of requests for each operation.</summary>
    public ConcurrentDictionary<string, int> Requests { get; } = new();

    /// <summary>True to accept starts and stops with 202 and a location that never settles.</summary>
    public bool AnswersLater { get; set; }

    /// <summary>Number of lists that do not show a new execution yet.</summary>
    public int ListsBehind { get; set; }

    /// <summary>Image that executions run in place of the one that was asked for.</summary>
    public string? StaleImage { get; set; }

    /// <summary>Runs an execution; it stays in the state Running when left out.</summary>
    public Action<FakeExecution>? OnStart { get; set; }

    public Action<FakeExecution>? OnStop { get; set; }

    public static async Task<FakeArm> StartAsync()
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest("CN=127.0.0.1", key, HashAlgorithmName.SHA256);
        var names = new SubjectAlternativeNameBuilder();
        names.AddIpAddress(IPAddress.Loopback);
        request.CertificateExtensions.Add(names.Build());
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(true, false, 0, true));
        var certificate = request.CreateSelfSigned(DateTimeOffset.UtcNow.AddDays(-1), DateTimeOffset.UtcNow.AddDays(1));

        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseKestrelHttpsConfiguration().ConfigureKestrel(server =>
        {
            server.Listen(IPAddress.Loopback, 0, listen => listen.UseHttps(certificate));
            server.Listen(IPAddress.Loopback, 0);
        });
        var arm = new FakeArm(builder.Build(), certificate);
        arm._app.Run(arm.AnswerAsync);
        await arm._app.StartAsync();
        return arm;
    }

    /// <summary>Writes the certificate that clients must trust.</summary>
    public void WriteCertificate(string path) => File.WriteAllText(path, _certificate.ExportCertificatePem());

    /// <summary>Makes a handler that trusts this server.</summary>
    public HttpClientHandler Handler() => new()
    {
        ServerCertificateCustomValidationCallback = (_, certificate, _, _) => certificate?.Thumbprint == _certificate.Thumbprint,
    };

    /// <summary>Makes the client of the job, with short pauses.</summary>
    public ContainerAppJobs Jobs()
    {
        var client = new ContainerAppsClient(Url, JobId, new FixedCredential($"{Url}.default"), () => new ArmOptions
        {
            Transport = new HttpClientTransport(Handler()),
            Retry = { Delay = TimeSpan.FromMilliseconds(1) },
        });
        return new ContainerAppJobs(client, JobId, TimeProvider.System, NullLogger<ContainerAppJobs>.Instance)
        {
            ListPatience = TimeSpan.FromMilliseconds(500),
            ListPause = TimeSpan.FromMilliseconds(20),
        };
    }

    /// <summary>Lets the next request for an operation fail: job, start, list, execution or stop.</summary>
    public void Fail(string operation, Fault fault) => _faults.GetOrAdd(operation, _ => new()).Enqueue(fault);

    public async ValueTask DisposeAsync()
    {
        await _app.DisposeAsync();
        _certificate.Dispose();
    }

    private async Task AnswerAsync(HttpContext http)
    {
        var path = http.Request.Path.Value!;
        if (path == "/msi/token")
        {
            await AnswerIdentityAsync(http);
            return;
        }
        if (!path.StartsWith(JobId, StringComparison.OrdinalIgnoreCase))
        {
            await RefuseAsync(http, 404, "ResourceNotFound", $"The resource '{path}' was not found.");
            return;
        }
        var parts = path[JobId.Length..].Split('/', StringSplitOptions.RemoveEmptyEntries);
        var operation = (http.Request.Method, parts) switch
        {
            ("GET", []) => "job",
            ("POST", ["start"]) => "start",
            ("GET", ["executions"]) => "list",
            ("GET", ["executions", _]) => "execution",
            ("POST", ["executions", _, "stop"]) => "stop",
            _ => null,
        };
        if (operation is null)
        {
            await ViolateAsync(http, $"{http.Request.Method} {path} is no operation");
            return;
        }
        Requests.AddOrUpdate(operation, 1, (_, count) => count + 1);
        if (http.Request.Query["api-version"] != "2026-07-01")
        {
            await ViolateAsync(http, $"{operation}: api-version is '{http.Request.Query["api-version"]}'");
            return;
        }
        if (http.Request.Headers.Authorization != $"Bearer {Token}")
        {
            await RefuseAsync(http, 401, "AuthenticationFailed", "The token is missing or wrong.");
            return;
        }
        var fault = _faults.TryGetValue(operation, out var faults) && faults.TryDequeue(out var next) ? next : null;
        if (fault is { IsCarriedOut: false })
        {
            await FailAsync(http, fault);
            return;
        }
        var answer = operation switch
        {
            "job" => Results.Text(Job.ToJsonString(), "application/json"),
            "start" => await StartExecutionAsync(http),
            "list" => List(http),
            "execution" => Find(parts[1]) is { } found ? Results.Text(found.ToJson(), "application/json") : NotFound(parts[1]),
            _ => Stop(parts[1]),
        };
        if (fault is not null) await FailAsync(http, fault);
        else await answer.ExecuteAsync(http);
    }

    private async Task<IResult> StartExecutionAsync(HttpContext http)
    {
        if (!http.Request.HasJsonContentType()) return Violation("start: the body is not application/json");
        var template = (await JsonNode.ParseAsync(http.Request.Body))!;
        if (Mistake(template, "JobExecutionTemplate") is { } mistake) return Violation($"start: {mistake}");
        if (template["containers"] is not JsonArray { Count: > 0 } containers) return Violation("start: no containers");
        if (StaleImage is not null) containers[0]!["image"] = StaleImage;
        FakeExecution execution;
        lock (_executions)
        {
            execution = new FakeExecution($"train-vision-{++_started:x7}", template, ListsBehind);
            _executions.Add(execution);
        }
        OnStart?.Invoke(execution);
        return AnswersLater
            ? Later(http)
            : Results.Json(new { name = execution.Name, id = $"{JobId}/executions/{execution.Name}" });
    }

    private IResult List(HttpContext http)
    {
        List<FakeExecution> listed;
        lock (_executions) listed = [.. _executions.Where(execution => execution.ListsBehind-- <= 0)];
        var start = int.Parse(http.Request.Query["$skiptoken"].LastOrDefault() ?? "0", CultureInfo.InvariantCulture);
        var page = string.Join(",", listed.Skip(start).Take(PageSize).Select(execution => execution.ToJson()));
        var more = start + PageSize < listed.Count
            ? $"\"{new Uri(Url, $"{JobId}/executions?api-version=2026-07-01&$skiptoken={start + PageSize}")}\""
            : "null";
        return Results.Text($$"""{"value": [{{page}}], "nextLink": {{more}}}""", "application/json");
    }

    private IResult Stop(string name)
    {
        if (Find(name) is not { } execution) return NotFound(name);
        if (execution.IsUnfinished) execution.Status = "Stopped";
        OnStop?.Invoke(execution);
        return AnswersLater ? Results.StatusCode(202) : Results.Ok();
    }

    private FakeExecution? Find(string name) => Executions.FirstOrDefault(execution => execution.Name == name);

    private static IResult Later(HttpContext http)
    {
        http.Response.Headers.Location = "https://127.0.0.1:9/operations/never";
        http.Response.Headers.RetryAfter = "15";
        return Results.StatusCode(202);
    }

    private static async Task FailAsync(HttpContext http, Fault fault)
    {
        if (fault.Status is not { } status)
        {
            http.Abort();
            return;
        }
        if (fault.RetryAfter is { } seconds) http.Response.Headers.RetryAfter = $"{seconds}";
        await RefuseAsync(http, status, fault.Code, fault.Message);
    }

    private static Task RefuseAsync(HttpContext http, int status, string code, string message) =>
        Error(status, code, message).ExecuteAsync(http);

    private static IResult Error(int status, string code, string message) =>
        Results.Json(new { error = new { code, message } }, statusCode: status);

    private static IResult NotFound(string execution) =>
        Error(404, "ContainerAppJobExecutionNotFound", $"The execution '{execution}' was not found.");

    private Task ViolateAsync(HttpContext http, string violation) => Violation(violation).ExecuteAsync(http);

    private IResult Violation(string violation)
    {
        Violations.Enqueue(violation);
        return Error(400, "InvalidRequest", violation);
    }

    /// <summary>Compares a value with a definition; null when it conforms.</summary>
    private static string? Mistake(JsonNode? value, string type)
    {
        if (type.EndsWith("[]", StringComparison.Ordinal))
        {
            return value is JsonArray items
                ? items.Select(item => Mistake(item, type[..^2])).FirstOrDefault(mistake => mistake is not null)
                : $"{value} is no {type}";
        }
        if (!Definitions.TryGetValue(type, out var members))
        {
            var expected = type == "number" ? JsonValueKind.Number : JsonValueKind.String;
            return value?.GetValueKind() == expected ? null : $"{value} is no {type}";
        }
        if (value is not JsonObject given) return $"{value} is no {type}";
        return given.Select(member => members.TryGetValue(member.Key, out var memberType)
            ? Mistake(member.Value, memberType)
            : $"{type} has no {member.Key} that may be sent").FirstOrDefault(mistake => mistake is not null);
    }

    private async Task AnswerIdentityAsync(HttpContext http)
    {
        var query = http.Request.Query;
        if (http.Request.Headers["X-IDENTITY-HEADER"] != "identity" || query["api-version"] != "2019-08-01"
            || new Uri(query["resource"].ToString().TrimEnd('/')) != Url)
        {
            await ViolateAsync(http, $"{http.Request.QueryString} asks for no token of this resource");
            return;
        }
        var expires = DateTimeOffset.UtcNow.AddHours(8).ToUnixTimeSeconds().ToString(CultureInfo.InvariantCulture);
        var resource = query["resource"].ToString();
        await Results.Json(new { access_token = Token, expires_on = expires, resource, token_type = "Bearer" }).ExecuteAsync(http);
    }
}

/// <summary>Credential with the token of a <see cref="FakeArm"/> for one scope.</summary>
internal sealed class FixedCredential(string scope) : TokenCredential
{
    public override AccessToken GetToken(TokenRequestContext requestContext, CancellationToken cancellationToken)
    {
        Assert.Equal([scope], requestContext.Scopes);
        return new AccessToken(FakeArm.Token, DateTimeOffset.UtcNow.AddHours(1));
    }

    public override ValueTask<AccessToken> GetTokenAsync(TokenRequestContext requestContext, CancellationToken cancellationToken) =>
        new(GetToken(requestContext, cancellationToken));
}

/// <summary>Failure of one request.</summary>
/// <param name="Status">Status of the answer; null cuts the connection.</param>
/// <param name="IsCarriedOut">True when the operation takes place all the same.</param>
/// <param name="RetryAfter">Seconds of the header <c>Retry-After</c>.</param>
internal sealed record Fault(
    int? Status, bool IsCarriedOut = false, int? RetryAfter = null, string Code = "SomeCode", string Message = "Something is wrong.");

/// <summary>Execution of the job of a <see cref="FakeArm"/>.</summary>
internal sealed class FakeExecution(string name, JsonNode template, int listsBehind)
{
    private readonly DateTimeOffset _started = DateTimeOffset.UtcNow;

    public string Name => name;

    public JsonNode Template => template;

    public int ListsBehind { get; set; } = listsBehind;

    public string Status { get; set; } = "Running";

    public string? Reason { get; set; }

    public string? Message { get; set; }

    public int? ExitCode { get; set; }

    public bool IsUnfinished => Status is "Running" or "Processing" or "Unknown";

    /// <summary>Environment of the first container.</summary>
    public IReadOnlyDictionary<string, string?> Environment =>
        template["containers"]![0]!["env"]!.AsArray().ToDictionary(entry => (string)entry!["name"]!, entry => (string?)entry!["value"]);

    public IReadOnlyList<string> Args => [.. template["containers"]![0]!["args"]!.AsArray().Select(argument => (string)argument!)];

    public string ToJson()
    {
        var properties = new JsonObject
        {
            ["status"] = Status,
            ["startTime"] = _started.ToString("O", CultureInfo.InvariantCulture),
            ["template"] = template.DeepClone(),
        };
        if (!IsUnfinished) properties["endTime"] = DateTimeOffset.UtcNow.ToString("O", CultureInfo.InvariantCulture);
        if (Reason is not null) properties["reason"] = Reason;
        if (Message is not null) properties["message"] = Message;
        if (ExitCode is { } code)
        {
            properties["detailedStatus"] = new JsonObject
            {
                ["replicas"] = new JsonArray(new JsonObject
                {
                    ["name"] = $"{name}-abcde",
                    ["containers"] = new JsonArray(new JsonObject { ["name"] = "train", ["code"] = code, ["status"] = "Terminated" }),
                }),
            };
        }
        return new JsonObject
        {
            ["id"] = $"{FakeArm.JobId}/executions/{name}",
            ["name"] = name,
            ["type"] = "Microsoft.App/jobs/executions",
            ["properties"] = properties,
        }.ToJsonString();
    }
}
