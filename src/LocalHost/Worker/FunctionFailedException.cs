using FunctionsPipeline.LocalHost.Worker.Messages;

namespace FunctionsPipeline.LocalHost.Worker;

/// <summary>
/// A function failed in the worker. The Durable Task extension parses type, message and stack from exactly this message format.
/// </summary>
internal sealed class FunctionFailedException(StatusResult result)
    : Exception($"Result: {result.Status}\nException: {result.Exception?.Message}\nStack: {result.Exception?.StackTrace}");
