namespace FunctionsPipeline.FunctionApp;

/// <summary>A failure that stays the same however often one tries: activities that throw it are not retried.</summary>
public sealed class PermanentFailureException(string message, Exception? inner = null) : Exception(message, inner);
