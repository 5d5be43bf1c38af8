namespace FunctionsPipeline.FunctionApp.Gpu;

/// <summary>Settings of configuration section <c>GpuJobs</c>.</summary>
public sealed record GpuJobsOptions
{
    /// <summary>How often a lost job is started again.</summary>
    public int MaxRestarts { get; init; } = 2;

    /// <summary>A job of which nothing else is known counts as lost when it has sent no heartbeat for this long.</summary>
    public TimeSpan HeartbeatTimeout { get; init; } = TimeSpan.FromMinutes(5);

    /// <summary>Where local jobs leave their output and the ids of their processes.</summary>
    public string LogFolder { get; init; } = Path.Combine(Path.GetTempPath(), "functions-pipeline", "jobs");
}
