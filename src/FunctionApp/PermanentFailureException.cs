namespace FunctionsPipeline.FunctionApp;

/// <summary>A failure that retrying cannot change; activities that throw it are not retried.</summary>
public sealed class PermanentFailureException(string message, Exception? inner = null) : Exception(message, inner);
