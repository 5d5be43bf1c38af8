namespace FunctionsPipeline.Contracts;

/// <summary>The phases of a run, in their order.</summary>
public enum RunPhase
{
    Resolving,
    Ingesting,
    Mirroring,
    Training,
    Publishing,
    Done,
}

/// <summary>Where a run stands: the orchestration's custom status, and the heart of <c>GET /api/runs/{run}</c>. Kept far below 16 kB.</summary>
public sealed record RunStatus
{
    public required RunPhase Phase { get; init; }

    /// <summary>What is being done, for a person.</summary>
    public string? Message { get; init; }

    /// <summary>Rows ingested so far.</summary>
    public RowCounts? Rows { get; init; }

    /// <summary>Rows the dataset view has.</summary>
    public long? TotalRows { get; init; }

    /// <summary>How fast rows are being ingested.</summary>
    public IngestRate? Rate { get; init; }

    /// <summary>The dataset's columns that are read.</summary>
    public ColumnMapping? Columns { get; init; }

    /// <summary>Why these columns, when the request named none and they were guessed.</summary>
    public string? ColumnsGuess { get; init; }

    /// <summary>The worker's last heartbeat.</summary>
    public Heartbeat? Training { get; init; }
}

/// <summary>What a run hands back when it is done: the orchestration's output.</summary>
/// <param name="Published">Whether the fine-tuned model serves now.</param>
/// <param name="PublishDecision">Why, or why not.</param>
public sealed record RunOutcome(IngestReport Dataset, RunResult Result, bool Published, string PublishDecision);

/// <summary>A run as the HTTP API shows it: the answer of <c>GET /api/runs/{run}</c>, and an entry of <c>GET /api/runs</c>.</summary>
public sealed record RunView
{
    public required string Run { get; init; }

    /// <summary>The orchestration's runtime status: <c>Pending</c>, <c>Running</c>, <c>Completed</c>, <c>Failed</c>, <c>Terminated</c> or <c>Suspended</c>.</summary>
    public required string RuntimeStatus { get; init; }

    public required DateTimeOffset CreatedAt { get; init; }

    public required DateTimeOffset LastUpdatedAt { get; init; }

    public RunStatus? Status { get; init; }

    /// <summary>When completed.</summary>
    public RunOutcome? Outcome { get; init; }

    /// <summary>When failed: why.</summary>
    public string? Error { get; init; }
}

/// <summary>A page of runs, newest first: the answer to <c>GET /api/runs</c>.</summary>
/// <param name="Runs">Of completed runs only the runtime status and the times; a page may be short although another follows.</param>
/// <param name="Continuation">Asks for the next page; null when there is none.</param>
public sealed record RunPage(IReadOnlyList<RunView> Runs, string? Continuation);

/// <summary>The answer to <c>POST /api/runs</c>.</summary>
/// <param name="StatusUrl">Where the run can be followed.</param>
public sealed record RunAccepted(string Run, string StatusUrl)
{
    /// <summary>The URLs of the durable extension's management API for this run, by their name there, such as <c>statusQueryGetUri</c>.</summary>
    public IReadOnlyDictionary<string, string>? Management { get; init; }
}

/// <summary>A problem document (RFC 9457): the body of every answer that says what is wrong.</summary>
/// <param name="Status">The HTTP status.</param>
/// <param name="Title">What kind of problem it is.</param>
/// <param name="Detail">What is wrong and what would be right.</param>
public sealed record Problem(int Status, string Title, string Detail)
{
    /// <summary>Path of the offending member in the request, such as <c>training.learningRate</c>.</summary>
    public string? Field { get; init; }

    /// <summary>Every offending member, when there is more than one.</summary>
    public IReadOnlyList<FieldError>? Errors { get; init; }
}

/// <summary>What is wrong with one member of a request.</summary>
/// <param name="Field">Its path, such as <c>training.learningRate</c>.</param>
public sealed record FieldError(string Field, string Message);
