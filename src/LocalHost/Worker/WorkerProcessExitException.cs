namespace FunctionsPipeline.LocalHost.Worker;

/// <summary>
/// The worker ended before it answered. The Durable Task extension knows this type by its name: it repeats the turn of an orchestrator that meets
/// it, instead of failing the orchestration.
/// </summary>
internal sealed class WorkerProcessExitException() : Exception("The worker process ended before it answered.");
