namespace FunctionsPipeline.FunctionApp.Orchestration;

/// <summary>A run that cannot go on; the message says why.</summary>
public sealed class RunFailedException(string message) : Exception(message);
