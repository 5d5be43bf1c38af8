using System.Diagnostics;

namespace FunctionsPipeline.Contracts;

/// <summary>Source of the pipeline's spans, and propagation of a run's trace to its GPU job.</summary>
public static class PipelineTracing
{
    /// <summary>Name of <see cref="Source"/>, which listeners subscribe to.</summary>
    public const string SourceName = "FunctionsPipeline";

    /// <summary>Environment variable of a GPU job: the parent span, in W3C Trace Context format.</summary>
    public const string TraceParent = "TRACEPARENT";

    /// <summary>Environment variable of a GPU job: vendor-specific data that accompanies <see cref="TraceParent"/>.</summary>
    public const string TraceState = "TRACESTATE";

    /// <summary>Source of the pipeline's spans.</summary>
    public static ActivitySource Source { get; } = new(SourceName);

    /// <summary>Environment variables that carry the current trace to a job; none when no listener is attached.</summary>
    public static IEnumerable<KeyValuePair<string, string>> JobEnvironment()
    {
        if (Activity.Current is not { IdFormat: ActivityIdFormat.W3C, Id: { } id } current) yield break;
        yield return new(TraceParent, id);
        if (current.TraceStateString is { Length: > 0 } state) yield return new(TraceState, state);
    }

    /// <summary>Starts the span of a job as a child of the span in its environment.</summary>
    /// <param name="name">Name of the span.</param>
    /// <param name="run">Id of the run that the job belongs to.</param>
    /// <param name="environment">Reads an environment variable.</param>
    /// <returns>The span; null when no listener is attached.</returns>
    public static Activity? StartJob(string name, string run, Func<string, string?> environment)
    {
        // With a missing or malformed parent, the span starts a new trace.
        _ = ActivityContext.TryParse(environment(TraceParent), environment(TraceState), isRemote: true, out var parent);
        return Source.StartActivity(name, ActivityKind.Consumer, parent, [new("pipeline.run", run)]);
    }
}
