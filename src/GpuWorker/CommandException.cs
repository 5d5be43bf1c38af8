namespace FunctionsPipeline.GpuWorker;

/// <summary>A command that cannot be carried out; the message is all that the user sees.</summary>
public sealed class CommandException(string message, Exception? inner = null) : Exception(message, inner);
