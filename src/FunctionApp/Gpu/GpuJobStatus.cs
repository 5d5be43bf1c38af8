namespace FunctionsPipeline.FunctionApp.Gpu;

public enum GpuJobState
{
    Running,

    /// <summary>It ended, one way or another.</summary>
    Exited,

    /// <summary>Nothing is known of a job of that name.</summary>
    Unknown,
}

/// <summary>What is known of a job.</summary>
/// <param name="ExitCode">How it ended, where that is known.</param>
/// <param name="LastOutput">The last lines that it printed, when it has ended.</param>
public sealed record GpuJobStatus(GpuJobState State, int? ExitCode = null, string? LastOutput = null);
