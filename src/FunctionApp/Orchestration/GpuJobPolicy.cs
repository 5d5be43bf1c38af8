namespace FunctionsPipeline.FunctionApp.Orchestration;

/// <summary>Limits of a run's GPU job: heartbeat age and restarts.</summary>
/// <param name="MaxRestarts">Maximum number of restarts of a lost job.</param>
/// <param name="MaxPreemptions">Maximum number of restarts of a preempted job, one that was asked to stop and left a checkpoint.</param>
/// <param name="HeartbeatTimeout">Age of the last heartbeat from which a job of unknown state counts as lost.</param>
public sealed record GpuJobPolicy(int MaxRestarts, int MaxPreemptions, TimeSpan HeartbeatTimeout)
{
    private static readonly TimeSpan LongestPause = TimeSpan.FromMinutes(1);

    /// <summary>Returns the pause before the next poll of a job.</summary>
    public static TimeSpan Pause(TimeSpan running) => GrowingPause.After(running, 60, LongestPause);
}
