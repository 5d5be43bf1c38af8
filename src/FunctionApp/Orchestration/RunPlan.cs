using FunctionsPipeline.Contracts;

namespace FunctionsPipeline.FunctionApp.Orchestration;

/// <summary>Input of a run's orchestration, fixed when the run starts, so that later changes of settings do not affect it.</summary>
/// <param name="Request">The request, with its revisions pinned to commits.</param>
public sealed record RunPlan(RunRequest Request, GpuJobPolicy GpuJobs);
