using System.Text.Json;
using System.Text.RegularExpressions;
using FunctionsPipeline.Contracts;
using FunctionsPipeline.Datasets;
using FunctionsPipeline.FunctionApp.Gpu;
using FunctionsPipeline.FunctionApp.Http;
using FunctionsPipeline.FunctionApp.Orchestration;
using Microsoft.Extensions.Configuration;

namespace FunctionsPipeline.FunctionApp;

/// <summary>The app's settings, apart from those of the connection <c>PipelineStorage</c>.</summary>
public sealed partial record PipelineOptions
{
    /// <summary>Base URL of the Hugging Face Hub.</summary>
    [ConfigurationKeyName("HF_ENDPOINT")]
    public Uri HubEndpoint { get; init; } = new("https://huggingface.co");

    /// <summary>Access token for gated and private repositories on the Hub.</summary>
    [ConfigurationKeyName("HF_TOKEN")]
    public string? HubToken { get; init; }

    /// <summary>Section <c>Ingestion</c>: reading of datasets into blob storage.</summary>
    public IngestionOptions Ingestion { get; init; } = new();

    /// <summary>Section <c>Worker</c>: connection to the GPU worker that predicts.</summary>
    public WorkerOptions Worker { get; init; } = new();

    /// <summary>Section <c>Predictions</c>: reading of uploaded images.</summary>
    public PredictionOptions Predictions { get; init; } = new();

    /// <summary>Section <c>GpuWorker</c>: start of a GPU worker on this machine.</summary>
    public GpuWorkerOptions GpuWorker { get; init; } = new();

    /// <summary>Section <c>GpuJobs</c>: start and supervision of training jobs.</summary>
    public GpuJobsOptions GpuJobs { get; init; } = new();

    /// <summary>Section <c>Retraining</c>: runs that start by themselves; none do by default.</summary>
    public RetrainingOptions Retraining { get; init; } = new();

    /// <summary>Lists the mistakes in the settings, each with its correction; empty when the settings are valid.</summary>
    public IEnumerable<string> Mistakes()
    {
        if (!IsHttp(HubEndpoint)) yield return "HF_ENDPOINT must be an http(s) URL, such as https://huggingface.co.";
        if (Ingestion.UnitRows < 1) yield return "Ingestion:UnitRows must be at least 1.";
        if (Ingestion.RowGroupMemory < 1 << 20) yield return "Ingestion:RowGroupMemory must be at least 1048576 bytes.";
        if (Ingestion.UnitsPerInstance is < 1 or > 100) yield return "Ingestion:UnitsPerInstance must be from 1 to 100.";
        if (Ingestion.Instances is < 1 or > 1000) yield return "Ingestion:Instances must be from 1 to 1000.";
        if (Ingestion.Parallelism is < 1 or > 10_000) yield return "Ingestion:Parallelism must be from 1 to 10000.";
        if (Ingestion.Concurrency is < 1 or > 1000) yield return "Ingestion:Concurrency must be from 1 to 1000.";
        if (Ingestion.RequestsPerHost is < 1 or > 1000) yield return "Ingestion:RequestsPerHost must be from 1 to 1000.";
        if (Ingestion.RequestsPerHostPerSecond is not (null or (>= 0.001 and <= 1000)))
            yield return "Ingestion:RequestsPerHostPerSecond must be from 0.001 to 1000; there is no limit when it is left out.";
        if (Ingestion.DownloadAttempts is < 1 or > 20) yield return "Ingestion:DownloadAttempts must be from 1 to 20.";
        if (!IsDownloadTime(Ingestion.RetryDelay)) yield return DownloadTime("RetryDelay", "00:00:00.5");
        if (!IsDownloadTime(Ingestion.ConnectTimeout)) yield return DownloadTime("ConnectTimeout", "00:00:10");
        if (!IsDownloadTime(Ingestion.ReadTimeout)) yield return DownloadTime("ReadTimeout", "00:00:15");
        if (!IsDownloadTime(Ingestion.DownloadDeadline)) yield return DownloadTime("DownloadDeadline", "00:01:00");
        foreach (var (i, host) in Ingestion.AllowedHosts.Index())
        {
            if (!IsHostAndPort(host)) yield return $"Ingestion:AllowedHosts:{i} must be host:port, such as 127.0.0.1:8080.";
        }
        if (Ingestion.Contact is { } contact && !IsContact(contact))
            yield return "Ingestion:Contact must be an http(s) or mailto URL without parentheses, such as https://example.com/robot.";
        if (Ingestion.ImageLimits.MaxBytes is < 1 or > 1 << 30) yield return "Ingestion:ImageLimits:MaxBytes must be from 1 to 1073741824.";
        if (Ingestion.ImageLimits.MaxPixels < 1) yield return "Ingestion:ImageLimits:MaxPixels must be at least 1.";
        if (Ingestion.ImageLimits.MaxSide < 1) yield return "Ingestion:ImageLimits:MaxSide must be at least 1.";
        if (!(Ingestion.ImageLimits.MaxAspectRatio >= 1)) yield return "Ingestion:ImageLimits:MaxAspectRatio must be at least 1.";
        if (Worker.Url is { } worker && !IsHttp(worker))
            yield return "Worker:Url is no http(s) URL: where the GPU worker answers, such as http://127.0.0.1:8080.";
        if (Worker.Timeout <= TimeSpan.Zero) yield return "Worker:Timeout must be above zero, such as 00:03:00.";
        if (Worker.Concurrency is < 1 or > 1000) yield return "Worker:Concurrency must be from 1 to 1000.";
        if (Predictions.Patience <= TimeSpan.Zero) yield return "Predictions:Patience must be above zero; 1.00:00:00 is a day.";
        if (Predictions.KeepHistory <= TimeSpan.Zero) yield return "Predictions:KeepHistory must be above zero; 3.00:00:00 is three days.";
        if (!string.IsNullOrWhiteSpace(GpuWorker.Command) && GpuWorkerCommand.Parse(GpuWorker.Command) is null)
        {
            yield return "GpuWorker:Command names no program: it is the command line that starts the GPU worker, "
                + "such as 'dotnet /app/FunctionsPipeline.GpuWorker.dll'.";
        }
        if (GpuJobs.MaxRestarts is < 0 or > 100) yield return "GpuJobs:MaxRestarts must be from 0 to 100.";
        if (GpuJobs.MaxPreemptions is < 0 or > 10_000) yield return "GpuJobs:MaxPreemptions must be from 0 to 10000.";
        if (GpuJobs.StopTimeout < TimeSpan.Zero) yield return "GpuJobs:StopTimeout must not be negative; 00:00:20 gives a job 20 seconds.";
        if (GpuJobs.HeartbeatTimeout <= TimeSpan.Zero) yield return "GpuJobs:HeartbeatTimeout must be above zero, such as 00:05:00.";
        if (GpuJobs.SilenceTimeout < GpuJobs.HeartbeatTimeout)
            yield return "GpuJobs:SilenceTimeout must be at least GpuJobs:HeartbeatTimeout, such as 01:00:00.";
        if (!string.IsNullOrWhiteSpace(GpuJobs.JobId) && !JobId().IsMatch(GpuJobs.JobId))
        {
            yield return "GpuJobs:JobId must be the resource id of a Container Apps job: "
                + "/subscriptions/{id}/resourceGroups/{name}/providers/Microsoft.App/jobs/{name}.";
        }
        if (GpuJobs.ArmEndpoint is not { IsAbsoluteUri: true, Scheme: "https", AbsolutePath: "/" })
            yield return "GpuJobs:ArmEndpoint must be an https URL without a path, such as https://management.azure.com.";
        if (string.IsNullOrWhiteSpace(GpuJobs.LogFolder)) yield return "GpuJobs:LogFolder must name a folder.";
        if (string.IsNullOrWhiteSpace(GpuJobs.CacheFolder)) yield return "GpuJobs:CacheFolder must name a folder.";
        foreach (var mistake in Retraining.Mistakes()) yield return mistake;
    }

    private static bool IsDownloadTime(TimeSpan time) => time > TimeSpan.Zero && time <= TimeSpan.FromHours(1);

    private static string DownloadTime(string setting, string example) =>
        $"Ingestion:{setting} must be above zero and at most 01:00:00, such as {example}.";

    private static bool IsHostAndPort(string? host) =>
        // Compared with what Uri makes of the text: a missing port, a path or user information makes a difference.
        Uri.TryCreate($"http://{host}", UriKind.Absolute, out var uri)
        && string.Equals($"{uri.Host}:{uri.Port}", host, StringComparison.OrdinalIgnoreCase);

    private static bool IsContact(Uri address) =>
        // The URL stands in a comment of the User-Agent, which parentheses delimit (RFC 9110, 5.6.5).
        address is { IsAbsoluteUri: true, Scheme: "http" or "https" or "mailto" } && address.AbsoluteUri.AsSpan().IndexOfAny('(', ')') < 0;

    private static bool IsHttp(Uri? address) => address is { IsAbsoluteUri: true, Scheme: "http" or "https" };

    [GeneratedRegex(
        @"\A/subscriptions/[0-9a-f-]{36}/resourceGroups/[-\w.()]+/providers/Microsoft\.App/jobs/[-\w]+\z", RegexOptions.IgnoreCase)]
    private static partial Regex JobId();
}

/// <summary>Settings of configuration section <c>Worker</c>.</summary>
public sealed record WorkerOptions
{
    /// <summary>Base URL of the GPU worker, such as <c>http://127.0.0.1:8080</c>. Only predictions need it.</summary>
    public Uri? Url { get; init; }

    /// <summary>Key that the worker asks for, sent as a bearer token; a worker that listens on loopback alone needs none.</summary>
    public string? Key { get; init; }

    /// <summary>Time limit of one prediction. The ingress of Container Apps ends a request after 240 seconds.</summary>
    public TimeSpan Timeout { get; init; } = TimeSpan.FromMinutes(3);

    /// <summary>
    /// Maximum number of predictions that one instance of the app requests at once. host.json runs 16 activities: the rest is for runs.
    /// </summary>
    public int Concurrency { get; init; } = 8;
}

/// <summary>Settings of configuration section <c>Predictions</c>.</summary>
public sealed record PredictionOptions
{
    /// <summary>Time that an uploaded image waits for a worker that is busy, away or without a model; then its prediction fails.</summary>
    public TimeSpan Patience { get; init; } = TimeSpan.FromDays(1);

    /// <summary>Time after which the history of a reading is purged once the reading has ended.</summary>
    public TimeSpan KeepHistory { get; init; } = TimeSpan.FromDays(3);
}

/// <summary>Settings of configuration section <c>GpuWorker</c>.</summary>
public sealed record GpuWorkerOptions
{
    /// <summary>
    /// Command line that starts the worker; <c>train --run {run} --cache {folder}</c> is appended. Parts with spaces stand in double
    /// quotes. Only training needs this setting.
    /// </summary>
    public string? Command { get; init; }
}

/// <summary>Settings of configuration section <c>GpuJobs</c>.</summary>
public sealed record GpuJobsOptions
{
    /// <summary>
    /// Resource id of the Container Apps job that trains, whose executions are started with the identity of <c>PipelineStorage</c>; jobs
    /// are child processes of the app when left out.
    /// </summary>
    public string? JobId { get; init; }

    /// <summary>Azure Resource Manager; another one in sovereign clouds.</summary>
    public Uri ArmEndpoint { get; init; } = new("https://management.azure.com");

    /// <summary>Maximum number of restarts of a lost job.</summary>
    public int MaxRestarts { get; init; } = 2;

    /// <summary>
    /// Maximum number of restarts of a preempted job: one that was asked to stop and left a checkpoint, or that was killed further on
    /// than those before it. Counted apart from restarts of lost jobs.
    /// </summary>
    public int MaxPreemptions { get; init; } = 50;

    /// <summary>
    /// Time that a local job has to write a checkpoint when it is stopped, before it is killed. When the app itself stops, the host's own
    /// limit is shorter.
    /// </summary>
    public TimeSpan StopTimeout { get; init; } = TimeSpan.FromSeconds(20);

    /// <summary>Age of the last heartbeat from which a job of unknown state counts as lost.</summary>
    public TimeSpan HeartbeatTimeout { get; init; } = TimeSpan.FromMinutes(5);

    /// <summary>
    /// Time without a heartbeat, from the start on, after which a job that is said to run counts as lost and is stopped. Container Apps
    /// may take 25 minutes to pull the image onto an A100, and may call an execution running for ever.
    /// </summary>
    public TimeSpan SilenceTimeout { get; init; } = TimeSpan.FromHours(1);

    /// <summary>Job policy that an orchestration copies when it starts.</summary>
    internal GpuJobPolicy Policy => new(MaxRestarts, MaxPreemptions, HeartbeatTimeout, SilenceTimeout);

    /// <summary>Folder for the output and the process ids of local jobs.</summary>
    public string LogFolder { get; init; } = Path.Combine(Path.GetTempPath(), "functions-pipeline", "jobs");

    /// <summary>
    /// Folder for the models and shards that local jobs download. Apps with different storage need different folders: in it, runs of the
    /// same id take each other's files.
    /// </summary>
    public string CacheFolder { get; init; } = Path.Combine(Path.GetTempPath(), "functions-pipeline");
}

/// <summary>Settings of configuration section <c>Retraining</c>: what starts a run by itself.</summary>
public sealed record RetrainingOptions
{
    private const int ShortestSecret = 16;

    /// <summary>Request of these runs: the JSON of <c>POST /api/runs</c> without <c>run</c>.</summary>
    public string? Request { get; init; }

    /// <summary>Secret of a Hugging Face webhook that reports pushes to the request's dataset; no webhook is taken when left out.</summary>
    public string? WebhookSecret { get; init; }

    /// <summary>True to ask the Hub every 15 minutes for a new commit of the request's dataset.</summary>
    public bool Poll { get; init; }

    /// <summary>Number of corrections since the last such run that starts a run; they start none when left out.</summary>
    public int? Corrections { get; init; }

    /// <summary>Reads the request, which must be valid.</summary>
    internal RunRequest ReadRequest() => JsonSerializer.Deserialize<RunRequest>(Request!, RequestReader.Options)!;

    /// <summary>Lists the mistakes in the settings; empty when they are valid.</summary>
    internal IEnumerable<string> Mistakes()
    {
        if (WebhookSecret is { Length: > 0 } secret && (secret.Length < ShortestSecret || !secret.All(char.IsAscii)))
            yield return $"Retraining:WebhookSecret must have at least {ShortestSecret} characters, all of them ASCII.";
        if (Corrections < 1) yield return "Retraining:Corrections must be at least 1.";
        if (string.IsNullOrWhiteSpace(Request))
        {
            if (WebhookSecret is { Length: > 0 } || Poll || Corrections is not null)
                yield return "Retraining:Request is missing: the run that the other settings of Retraining start, as for POST /api/runs.";
            yield break;
        }
        if (RequestMistake() is { } mistake) yield return $"Retraining:Request is not the request of a run: {mistake}";
    }

    private string? RequestMistake()
    {
        RunRequest request;
        try
        {
            request = ReadRequest();
        }
        catch (JsonException e)
        {
            return e.Message;
        }
        return request is null ? "it is null."
            : RequestRules.Check(request) is [var error, ..] ? error.Message
            : request.Run is not null ? "run must be left out, as every run gets an id of its own."
            : Corrections is not null && !request.IncludeCorrections ? "includeCorrections must be true for Retraining:Corrections."
            : null;
    }
}
