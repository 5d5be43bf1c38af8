using FunctionsPipeline.FunctionApp.Gpu;
using FunctionsPipeline.FunctionApp.Predictions;
using Microsoft.Extensions.Configuration;

namespace FunctionsPipeline.FunctionApp;

/// <summary>The app's settings, apart from <c>Storage</c>, which is a connection string or a section as the Azure clients read it.</summary>
public sealed record PipelineOptions
{
    /// <summary>The Hugging Face Hub.</summary>
    [ConfigurationKeyName("HF_ENDPOINT")]
    public Uri HubEndpoint { get; init; } = new("https://huggingface.co");

    /// <summary>For gated and private repositories.</summary>
    [ConfigurationKeyName("HF_TOKEN")]
    public string? HubToken { get; init; }

    /// <summary>Section <c>Worker</c>: the GPU worker that predicts.</summary>
    public PredictionOptions Worker { get; init; } = new();

    /// <summary>Section <c>GpuWorker</c>: how a worker is started on this machine.</summary>
    public GpuWorkerOptions GpuWorker { get; init; } = new();

    /// <summary>Section <c>GpuJobs</c>: the jobs that train.</summary>
    public GpuJobsOptions GpuJobs { get; init; } = new();

    /// <summary>What is wrong with the settings, each with the way out; empty when nothing is.</summary>
    public IEnumerable<string> Mistakes()
    {
        if (!IsHttp(HubEndpoint)) yield return "HF_ENDPOINT must be an http(s) address, such as https://huggingface.co.";
        if (!IsHttp(Worker.Url)) yield return "Worker:Url is missing or no http(s) address: where the GPU worker answers, such as http://127.0.0.1:8080.";
        if (Worker.Timeout <= TimeSpan.Zero) yield return "Worker:Timeout must be above zero, such as 00:05:00.";
        if (GpuWorkerCommand.Parse(GpuWorker.Command) is null)
            yield return "GpuWorker:Command is missing: the command line that starts the GPU worker, such as 'dotnet /app/FunctionsPipeline.GpuWorker.dll'.";
        if (GpuJobs.MaxRestarts is < 0 or > 100) yield return "GpuJobs:MaxRestarts must be from 0 to 100.";
        if (GpuJobs.MaxPreemptions is < 0 or > 10_000) yield return "GpuJobs:MaxPreemptions must be from 0 to 10000.";
        if (GpuJobs.StopTimeout < TimeSpan.Zero) yield return "GpuJobs:StopTimeout must not be negative; 00:00:20 gives a job 20 seconds.";
        if (GpuJobs.HeartbeatTimeout <= TimeSpan.Zero) yield return "GpuJobs:HeartbeatTimeout must be above zero, such as 00:05:00.";
        if (string.IsNullOrWhiteSpace(GpuJobs.LogFolder)) yield return "GpuJobs:LogFolder must name a folder.";
    }

    private static bool IsHttp(Uri? address) => address is { IsAbsoluteUri: true, Scheme: "http" or "https" };
}
