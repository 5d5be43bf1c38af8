namespace FunctionsPipeline.FunctionApp.Gpu;

/// <summary>Starts, watches and stops training jobs: child processes on this machine, or jobs of a cloud service.</summary>
public interface IGpuJobs
{
    /// <summary>Reason why no job can be started with the current settings; null when no such reason is known.</summary>
    string? SetupProblem => null;

    /// <summary>
    /// Starts the training of a run. Returns the running job when one was already started for the same run and attempt. A run is not
    /// started twice at once: callers hold its lock.
    /// </summary>
    /// <param name="run">The run, whose <c>request.json</c> is in storage.</param>
    /// <param name="attempt">1 for the first start, higher for restarts.</param>
    /// <param name="cancellationToken">Ends the wait for the start, not the job.</param>
    /// <returns>The job's name, which identifies it in the other calls.</returns>
    /// <exception cref="PermanentFailureException">The current settings do not allow a start; retrying cannot help.</exception>
    Task<string> StartAsync(string run, int attempt, CancellationToken cancellationToken);

    Task<GpuJobStatus> GetStatusAsync(string job, CancellationToken cancellationToken);

    /// <summary>Stops a job; does nothing when the job does not run.</summary>
    Task StopAsync(string job, CancellationToken cancellationToken);
}

public enum GpuJobState
{
    Running,

    /// <summary>The job ended, with or without success.</summary>
    Exited,

    /// <summary>No job of that name is known.</summary>
    Unknown,
}

/// <summary>State of a job.</summary>
/// <param name="ExitCode">Exit code of the job, where the service reports one.</param>
/// <param name="LastOutput">Last lines of the output of a job that has ended.</param>
/// <param name="Reason">The service's words on the end of a job.</param>
public sealed record GpuJobStatus(GpuJobState State, int? ExitCode = null, string? LastOutput = null, string? Reason = null);

/// <summary>Exit codes of the GPU worker that decide what becomes of its run.</summary>
internal static class GpuJobExit
{
    /// <summary>EX_USAGE of sysexits.h: the worker rejected its command line. A restart would be rejected as well.</summary>
    public const int Usage = 64;

    /// <summary>EX_UNAVAILABLE of sysexits.h: another worker trains the run.</summary>
    public const int Busy = 69;

    /// <summary>EX_TEMPFAIL of sysexits.h: the worker was asked to stop and left a checkpoint.</summary>
    public const int Preempted = 75;

    /// <summary>
    /// SIGKILL: memory ran out, or a job's worker had no time to leave a checkpoint when its machine was taken away.
    /// </summary>
    public const int Killed = 128 + 9;
}
