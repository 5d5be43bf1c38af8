namespace FunctionsPipeline.FineTuning;

/// <summary>A run that cannot go on; the message names the cause and the way out, for the user who started it.</summary>
public sealed class TrainingException(string message, Exception? inner = null) : Exception(message, inner);
