namespace FunctionsPipeline.FunctionApp.Orchestration;

/// <summary>When a job counts as lost, and how often it is started again.</summary>
/// <param name="MaxRestarts">Restarts of a lost job.</param>
/// <param name="MaxPreemptions">Restarts of a job that was asked to stop and left a checkpoint.</param>
/// <param name="HeartbeatTimeout">A job of which nothing else is known is lost when it has sent no heartbeat for this long.</param>
public sealed record GpuJobPolicy(int MaxRestarts, int MaxPreemptions, TimeSpan HeartbeatTimeout)
{
    private static readonly TimeSpan LongestPause = TimeSpan.FromMinutes(1);

    /// <summary>The pause before the next look at a job.</summary>
    public static TimeSpan Pause(TimeSpan running) => GrowingPause.After(running, 60, LongestPause);
}
