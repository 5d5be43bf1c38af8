namespace FunctionsPipeline.FunctionApp.Gpu;

/// <summary>Settings of configuration section <c>GpuWorker</c>.</summary>
public sealed record GpuWorkerOptions
{
    /// <summary>
    /// The command line that starts the worker, to which <c>train --run {run}</c> is added; parts with spaces stand in double quotes. Only
    /// training needs it.
    /// </summary>
    public string? Command { get; init; }
}
