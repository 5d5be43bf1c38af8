namespace FunctionsPipeline.LocalHost.Durable;

/// <summary>An orchestrator did something else than its history says, or waits for something that no history can answer.</summary>
public sealed class NonDeterministicOrchestratorException(string message) : Exception(
    $"{message} An orchestrator must make the same calls whenever it is replayed: no clock, randomness, I/O, Task.Run or " +
    "ConfigureAwait(false) of its own, and no change of code while instances run.");
