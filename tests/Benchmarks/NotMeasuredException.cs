namespace FunctionsPipeline.Benchmarks;

/// <summary>Something that a measurement needs is not on this machine; the message says what.</summary>
internal sealed class NotMeasuredException(string message) : Exception(message);
