namespace FunctionsPipeline.FunctionApp.Gpu;

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
public sealed record GpuJobStatus(GpuJobState State, int? ExitCode = null, string? LastOutput = null);
