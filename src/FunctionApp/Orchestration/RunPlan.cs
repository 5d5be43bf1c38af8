using FunctionsPipeline.Contracts;

namespace FunctionsPipeline.FunctionApp.Orchestration;

/// <summary>What the orchestration of a run works from; fixed when the run starts, so that later settings do not change a running run.</summary>
/// <param name="Request">The request, with its commits pinned.</param>
public sealed record RunPlan(RunRequest Request, GpuJobPolicy GpuJobs);
