namespace FunctionsPipeline.Contracts;

/// <summary>Phases of a run, in order.</summary>
public enum RunPhase
{
    Resolving,
    Ingesting,
    Mirroring,
    Training,
    Publishing,
    Done,
}

/// <summary>
/// Progress of a run: the orchestration's custom status, shown by <c>GET /api/runs/{run}</c>. Must stay below 16 kB, Durable Functions'
/// limit for a custom status.
/// </summary>
public sealed record RunStatus
{
    public required RunPhase Phase { get; init; }

    /// <summary>Human-readable description of the current step.</summary>
    public string? Message { get; init; }

    /// <summary>Counts of the rows ingested so far.</summary>
    public RowCounts? Rows { get; init; }

    /// <summary>Number of rows in the dataset view.</summary>
    public long? TotalRows { get; init; }

    /// <summary>Throughput of the ingestion.</summary>
    public IngestRate? Rate { get; init; }

    /// <summary>Mapped columns of the dataset.</summary>
    public ColumnMapping? Columns { get; init; }

    /// <summary>Reasons for the guessed columns; null when the request names the columns.</summary>
    public string? ColumnsGuess { get; init; }

    /// <summary>The worker's last heartbeat.</summary>
    public Heartbeat? Training { get; init; }
}

/// <summary>Result of a completed run: the orchestration's output.</summary>
/// <param name="Published">True when the fine-tuned model now serves.</param>
/// <param name="PublishDecision">Reason for publishing the model or not.</param>
public sealed record RunOutcome(IngestReport Dataset, RunResult Result, bool Published, string PublishDecision);

/// <summary>A run in the HTTP API: the response to <c>GET /api/runs/{run}</c> and an entry of <c>GET /api/runs</c>.</summary>
public sealed record RunView
{
    public required string Run { get; init; }

    /// <summary>
    /// The orchestration's runtime status: <c>Pending</c>, <c>Running</c>, <c>Completed</c>, <c>Failed</c>, <c>Terminated</c> or
    /// <c>Suspended</c>.
    /// </summary>
    public required string RuntimeStatus { get; init; }

    public required DateTimeOffset CreatedAt { get; init; }

    public required DateTimeOffset LastUpdatedAt { get; init; }

    public RunStatus? Status { get; init; }

    /// <summary>Result of the run; null until completed.</summary>
    public RunOutcome? Outcome { get; init; }

    /// <summary>Reason for the failure; null unless failed.</summary>
    public string? Error { get; init; }
}

/// <summary>A page of runs, newest first: the response to <c>GET /api/runs</c>.</summary>
/// <param name="Runs">Runs of the page; completed ones with runtime status and times only. A page may be short although another
/// follows.</param>
/// <param name="Continuation">Token that requests the next page; null on the last page.</param>
public sealed record RunPage(IReadOnlyList<RunView> Runs, string? Continuation);

/// <summary>Response to <c>POST /api/runs</c>.</summary>
/// <param name="StatusUrl">URL of the run's status.</param>
public sealed record RunAccepted(string Run, string StatusUrl)
{
    /// <summary>
    /// The URLs of the durable extension's management API for this run, by their names in that API, such as <c>statusQueryGetUri</c>.
    /// </summary>
    public IReadOnlyDictionary<string, string>? Management { get; init; }
}

/// <summary>A problem document (RFC 9457): the body of every error response.</summary>
/// <param name="Status">The HTTP status.</param>
/// <param name="Title">Kind of problem.</param>
/// <param name="Detail">The error and its remedy.</param>
public sealed record Problem(int Status, string Title, string Detail)
{
    /// <summary>Path of the offending member in the request, such as <c>training.learningRate</c>.</summary>
    public string? Field { get; init; }

    /// <summary>All errors, when the request has more than one.</summary>
    public IReadOnlyList<FieldError>? Errors { get; init; }
}

/// <summary>Error in one member of a request.</summary>
/// <param name="Field">Path of the member, such as <c>training.learningRate</c>.</param>
public sealed record FieldError(string Field, string Message);
