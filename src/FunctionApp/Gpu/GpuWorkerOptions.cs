namespace FunctionsPipeline.FunctionApp.Gpu;

/// <summary>Settings of configuration section <c>GpuWorker</c>.</summary>
public sealed record GpuWorkerOptions
{
    /// <summary>
    /// Command line that starts the worker; <c>train --run {run}</c> is appended. Parts with spaces stand in double quotes. Only training
    /// needs this setting.
    /// </summary>
    public string? Command { get; init; }
}
