using FunctionsPipeline.FunctionApp.Orchestration;

namespace FunctionsPipeline.FunctionApp.Gpu;

/// <summary>Settings of configuration section <c>GpuJobs</c>.</summary>
public sealed record GpuJobsOptions
{
    /// <summary>How often a lost job is started again.</summary>
    public int MaxRestarts { get; init; } = 2;

    /// <summary>How often a job is started again that was asked to stop and left a checkpoint: it comes on top.</summary>
    public int MaxPreemptions { get; init; } = 50;

    /// <summary>
    /// Time that a local job has to write a checkpoint when it is stopped; after it the job is killed. It has less when the app stops.
    /// </summary>
    public TimeSpan StopTimeout { get; init; } = TimeSpan.FromSeconds(20);

    /// <summary>A job of which nothing else is known counts as lost when it has sent no heartbeat for this long.</summary>
    public TimeSpan HeartbeatTimeout { get; init; } = TimeSpan.FromMinutes(5);

    /// <summary>What an orchestration takes from here when it starts.</summary>
    internal GpuJobPolicy Policy => new(MaxRestarts, MaxPreemptions, HeartbeatTimeout);

    /// <summary>Where local jobs leave their output and the ids of their processes.</summary>
    public string LogFolder { get; init; } = Path.Combine(Path.GetTempPath(), "functions-pipeline", "jobs");
}
