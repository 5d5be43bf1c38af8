namespace FunctionsPipeline.GpuWorker;

/// <summary>A command failed for a reason that the user can act on; only the message is printed.</summary>
public sealed class CommandException(string message, Exception? inner = null) : Exception(message, inner);
