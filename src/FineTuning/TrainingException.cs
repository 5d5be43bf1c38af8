namespace FunctionsPipeline.FineTuning;

/// <summary>Thrown when a run cannot continue; the message names the cause and a remedy for the user who started the run.</summary>
public sealed class TrainingException(string message, Exception? inner = null) : Exception(message, inner);
