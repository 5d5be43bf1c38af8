using FunctionsPipeline.FunctionApp.Orchestration;

namespace FunctionsPipeline.FunctionApp.Gpu;

/// <summary>Settings of configuration section <c>GpuJobs</c>.</summary>
public sealed record GpuJobsOptions
{
    /// <summary>Maximum number of restarts of a lost job.</summary>
    public int MaxRestarts { get; init; } = 2;

    /// <summary>
    /// Maximum number of restarts of a preempted job, one that was asked to stop and left a checkpoint. Counted apart from
    /// restarts of lost jobs.
    /// </summary>
    public int MaxPreemptions { get; init; } = 50;

    /// <summary>
    /// Time that a local job has to write a checkpoint when it is stopped, before it is killed. When the app itself stops, the host's own
    /// limit is shorter.
    /// </summary>
    public TimeSpan StopTimeout { get; init; } = TimeSpan.FromSeconds(20);

    /// <summary>Age of the last heartbeat from which a job of unknown state counts as lost.</summary>
    public TimeSpan HeartbeatTimeout { get; init; } = TimeSpan.FromMinutes(5);

    /// <summary>Job policy that an orchestration copies when it starts.</summary>
    internal GpuJobPolicy Policy => new(MaxRestarts, MaxPreemptions, HeartbeatTimeout);

    /// <summary>Folder for the output and the process ids of local jobs.</summary>
    public string LogFolder { get; init; } = Path.Combine(Path.GetTempPath(), "functions-pipeline", "jobs");
}
