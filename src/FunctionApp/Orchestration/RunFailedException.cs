namespace FunctionsPipeline.FunctionApp.Orchestration;

/// <summary>A run failed for good; the message gives the reason.</summary>
public sealed class RunFailedException(string message) : Exception(message);
