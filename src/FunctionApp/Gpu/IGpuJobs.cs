namespace FunctionsPipeline.FunctionApp.Gpu;

/// <summary>Where training runs: a child process on this machine, or a job of a cloud service.</summary>
public interface IGpuJobs
{
    /// <summary>Why no job can be started as things are set up, for whoever asks for one; null when that is not known to be so.</summary>
    string? SetupProblem => null;

    /// <summary>
    /// Starts the training of a run. A job that runs already under the same run and attempt is not started a second time.
    /// </summary>
    /// <param name="run">The run, whose <c>request.json</c> is in storage.</param>
    /// <param name="attempt">1 for the first start, more for restarts of a lost job.</param>
    /// <param name="cancellation">Ends the waiting, not the job.</param>
    /// <returns>The job's name, by which it is watched and stopped.</returns>
    /// <exception cref="PermanentFailureException">It cannot be started as things are set up; trying again is of no use.</exception>
    Task<string> StartAsync(string run, int attempt, CancellationToken cancellation);

    Task<GpuJobStatus> GetStatusAsync(string job, CancellationToken cancellation);

    /// <summary>Stops a job; nothing happens when it does not run.</summary>
    Task StopAsync(string job, CancellationToken cancellation);
}
