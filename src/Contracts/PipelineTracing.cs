using System.Diagnostics;

namespace FunctionsPipeline.Contracts;

/// <summary>The pipeline's own spans, and how the trace of a run reaches the process of its GPU job.</summary>
public static class PipelineTracing
{
    /// <summary>The name of <see cref="Source"/>, for listeners.</summary>
    public const string SourceName = "FunctionsPipeline";

    /// <summary>Environment variable of a GPU job: the span that started it, as W3C Trace Context writes it.</summary>
    public const string TraceParent = "TRACEPARENT";

    /// <summary>Environment variable of a GPU job: what tracing systems add to <see cref="TraceParent"/>.</summary>
    public const string TraceState = "TRACESTATE";

    /// <summary>Where the pipeline's spans come from.</summary>
    public static ActivitySource Source { get; } = new(SourceName);

    /// <summary>The environment variables that carry the current trace to a job; none when nobody listens to it.</summary>
    public static IEnumerable<KeyValuePair<string, string>> JobEnvironment()
    {
        if (Activity.Current is not { IdFormat: ActivityIdFormat.W3C, Id: { } id } current) yield break;
        yield return new(TraceParent, id);
        if (current.TraceStateString is { Length: > 0 } state) yield return new(TraceState, state);
    }

    /// <summary>Begins the span of a job, in the trace of whoever started the job.</summary>
    /// <param name="name">What the job does.</param>
    /// <param name="run">The run it does it for.</param>
    /// <param name="environment">Reads an environment variable.</param>
    /// <returns>Null when nobody listens.</returns>
    public static Activity? StartJob(string name, string run, Func<string, string?> environment)
    {
        // Without a parent, or with one that makes no sense, the span begins a trace of its own.
        _ = ActivityContext.TryParse(environment(TraceParent), environment(TraceState), isRemote: true, out var parent);
        return Source.StartActivity(name, ActivityKind.Consumer, parent, [new("pipeline.run", run)]);
    }
}
