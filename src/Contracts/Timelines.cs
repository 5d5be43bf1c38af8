namespace FunctionsPipeline.Contracts;

/// <summary>
/// Course of an orchestration, from its history: the response to <c>GET /api/timelines/{instance}</c> and
/// <c>GET /api/predictions/{name}/timeline</c>.
/// </summary>
/// <param name="Instance">The orchestration's instance id.</param>
/// <param name="Name">Name of the orchestrator, such as <c>FineTune</c>.</param>
/// <param name="RuntimeStatus">The orchestration's runtime status, such as <c>Running</c>.</param>
/// <param name="EndedAt">Null while the orchestration is in progress.</param>
/// <param name="Spans">In the order of their beginnings. Of a long history, the latest ones only.</param>
/// <param name="LeftOut">Number of earlier spans that are left out.</param>
public sealed record Timeline(
    string Instance, string Name, string RuntimeStatus, DateTimeOffset CreatedAt, DateTimeOffset? EndedAt,
    IReadOnlyList<TimelineSpan> Spans, int LeftOut);

/// <summary>Something that an orchestration called or waited for.</summary>
public sealed record TimelineSpan
{
    public required SpanKind Kind { get; init; }

    /// <summary>Name of the activity, of the sub-orchestrator, or of the event.</summary>
    public required string Name { get; init; }

    public required DateTimeOffset StartedAt { get; init; }

    /// <summary>Null while in progress.</summary>
    public DateTimeOffset? EndedAt { get; init; }

    /// <summary>Error of the call, with its cause; null unless it failed.</summary>
    public string? Error { get; init; }

    /// <summary>1 for the first call, higher for retries of a failed one.</summary>
    public int Attempt { get; init; } = 1;

    /// <summary>Instance id of a sub-orchestration, which has a timeline of its own; null for other kinds.</summary>
    public string? Instance { get; init; }
}

/// <summary>Kinds of spans.</summary>
public enum SpanKind
{
    /// <summary>The time from an activity's scheduling to its end.</summary>
    Activity,

    /// <summary>The time from a sub-orchestration's scheduling to its end.</summary>
    SubOrchestration,

    /// <summary>The orchestration waits for a durable timer.</summary>
    Timer,

    /// <summary>An event from outside, without duration.</summary>
    Event,
}
