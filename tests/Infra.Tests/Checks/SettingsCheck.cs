using System.Collections;
using System.Reflection;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using FunctionsPipeline.FunctionApp;
using Microsoft.Extensions.Configuration;

namespace FunctionsPipeline.Infra.Tests.Checks;

/// <summary>
/// Settings: app and worker read what Bicep sets, and Bicep sets what they read, or it is listed here as left at its default.
/// </summary>
internal static partial class SettingsCheck
{
    // Read by the Functions host and its extensions, and by Azure.Identity.
    private static readonly string[] OfHost =
    [
        "AzureWebJobsStorage:accountName", "AzureWebJobsStorage:credential", "AzureWebJobsStorage:clientId",
        "AzureWebJobsStorage:blobServiceUri", "AzureWebJobsStorage:queueServiceUri", "AzureWebJobsStorage:tableServiceUri",
        "PipelineStorage:credential", "PipelineStorage:clientId", "PipelineStorage:blobServiceUri", "PipelineStorage:queueServiceUri",
        "APPLICATIONINSIGHTS_CONNECTION_STRING", "APPLICATIONINSIGHTS_AUTHENTICATION_STRING", "AZURE_CLIENT_ID",
    ];

    // Read in some options only.
    private static readonly Dictionary<string, string[]> OfHostIn = new()
    {
        ["auth"] = [Polling, "OVERRIDE_USE_MI_FIC_ASSERTION_CLIENTID"],
        ["dts"] = [$"{Provider}:type", $"{Provider}:connectionStringName", "DURABLE_TASK_SCHEDULER_CONNECTION_STRING"],
    };

    private const string Provider = "AzureFunctionsJobHost:extensions:durableTask:storageProvider";
    private const string Polling = $"{Provider}:maxQueuePollingInterval";

    /// <summary>Options of the app, or sections of them, that Bicep leaves at their defaults.</summary>
    private static readonly string[] AppDefaults =
    [
        "HF_ENDPOINT", "HF_TOKEN", "Ingestion", "Predictions", "Worker:Timeout", "Worker:Concurrency",
        // For jobs that are processes of one machine.
        "GpuWorker:Command", "GpuJobs:LogFolder", "GpuJobs:CacheFolder", "GpuJobs:StopTimeout",
        "GpuJobs:ArmEndpoint", "GpuJobs:MaxRestarts", "GpuJobs:MaxPreemptions", "GpuJobs:HeartbeatTimeout", "GpuJobs:SilenceTimeout",
        "Retraining",
    ];

    /// <summary>Variables that the worker reads and Bicep leaves out.</summary>
    private static readonly string[] WorkerDefaults =
    [
        // Set for each job by the app.
        "TRACEPARENT", "TRACESTATE",
        // Other ends for telemetry and metrics.
        "OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_SERVICE_NAME",
        "MLFLOW_TRACKING_URI", "MLFLOW_EXPERIMENT_NAME", "MLFLOW_REGISTERED_MODEL_NAME",
        "MLFLOW_TRACKING_TOKEN", "MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD",
        "WANDB_API_KEY", "WANDB_BASE_URL", "WANDB_ENTITY", "WANDB_PROJECT", "WANDB_RUN_GROUP", "WANDB_TAGS", "WANDB_MODE",
        "CUDA_VISIBLE_DEVICES",
    ];

    private static readonly Lazy<string> WorkerCode = new(() => Repository.Code("src/GpuWorker") + Repository.Code("src/FineTuning")
        + Repository.Code("src/Telemetry") + File.ReadAllText(Path.Combine(Repository.Root, "src/Contracts/PipelineTracing.cs")));

    public static IEnumerable<string> Findings(Deployment deployment) =>
        deployment.Options.Where(option => option.Snapshot is not null && option.Name != Deployment.Events)
            .SelectMany(option => App(option).Concat(Worker(option)).Select(finding => $"{option.Name}: {finding}"));

    private static IEnumerable<string> App(CompiledOption option)
    {
        var settings = option.Resources.Single(resource => (string?)resource["type"] == "Microsoft.Web/sites/config"
            && ((string)resource["name"]!).EndsWith("/appsettings", StringComparison.Ordinal))["properties"];
        if (settings is not JsonObject values) return [$"the app settings are no list of names: {settings}"];
        var set = values.Select(setting => setting.Key.Replace("__", ":", StringComparison.Ordinal)).ToHashSet();
        var options = Members(typeof(PipelineOptions), "").ToHashSet();
        string[] host = [.. OfHost, .. OfHostIn.GetValueOrDefault(option.Name, [Polling])];
        return set.Except(options).Except(host).Select(name => $"the app has no setting {name}")
            .Concat(host.Except(set).Select(name => $"the host's setting {name} is not set"))
            .Concat(options.Except(set).Where(name => !IsLeft(name)).Select(name => $"the app's setting {name} is not set"))
            .Concat(AppDefaults.Where(name => !options.Any(member => Covers(name, member)))
                .Select(name => $"the app has no setting {name}"));
    }

    private static IEnumerable<string> Worker(CompiledOption option)
    {
        var read = Variable().Matches(WorkerCode.Value).Select(match => match.Groups[1].Value)
            // Errors of MLflow.
            .Where(name => name is not ("RESOURCE_DOES_NOT_EXIST" or "RESOURCE_ALREADY_EXISTS"))
            .Concat(["PipelineStorage:blobServiceUri", "PipelineStorage:credential", "PipelineStorage:clientId"]).ToHashSet();
        foreach (var type in new[] { "Microsoft.App/jobs", "Microsoft.App/containerApps" })
        {
            var worker = option.Resources.Single(resource => (string?)resource["type"] == type);
            var container = worker["properties"]!["template"]!["containers"]![0]!;
            var set = container["env"]!.AsArray()
                .Select(variable => ((string)variable!["name"]!).Replace("__", ":", StringComparison.Ordinal)).ToHashSet();
            // Whoever trains has no callers to ask for a key.
            var left = type == "Microsoft.App/jobs" ? WorkerDefaults.Append("Worker:Key") : WorkerDefaults;
            foreach (var name in set.Except(read)) yield return $"the worker in {type} reads no variable {name}";
            foreach (var name in read.Except(set).Except(left)) yield return $"the variable {name} of the worker in {type} is not set";
            foreach (var name in left.Except(read)) yield return $"the worker reads no variable {name}";
        }
    }

    private static bool IsLeft(string name) => AppDefaults.Any(left => Covers(left, name));

    private static bool Covers(string section, string name) =>
        name == section || name.StartsWith(section + ":", StringComparison.Ordinal);

    /// <summary>Lists the settings of an options type and its sections, such as <c>Worker:Url</c>.</summary>
    private static IEnumerable<string> Members(Type type, string prefix) => type
        .GetProperties(BindingFlags.Public | BindingFlags.Instance).Where(property => property.CanWrite).SelectMany(property =>
        {
            var name = prefix + (property.GetCustomAttribute<ConfigurationKeyNameAttribute>()?.Name ?? property.Name);
            var isSection = property.PropertyType.Namespace!.StartsWith("FunctionsPipeline", StringComparison.Ordinal)
                && property.PropertyType.IsClass && !property.PropertyType.IsAssignableTo(typeof(IEnumerable));
            return isSection ? Members(property.PropertyType, $"{name}:") : [name];
        });

    // "MLFLOW_TRACKING_URI" and "Worker:Key", as constants or where they are read.
    [GeneratedRegex(@"""([A-Z]+(?:_[A-Z]+)+|TRACEPARENT|TRACESTATE|Worker:\w+)""")]
    private static partial Regex Variable();
}
