namespace FunctionsPipeline.LocalHost.Worker;

/// <summary>
/// The worker ended before it answered. The Durable Task extension recognizes this type by its name and repeats the orchestrator's turn
/// instead of failing the orchestration.
/// </summary>
internal sealed class WorkerProcessExitException() : Exception("The worker process ended before it answered.");
