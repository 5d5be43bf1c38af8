using System.Text.Json;

namespace FunctionsPipeline.Contracts;

/// <summary>Body of <c>POST /api/sweeps</c>: a run, and the training settings whose best values are searched for.</summary>
public sealed record SweepRequest
{
    /// <summary>
    /// The sweep's id: 1 to 36 lower-case letters, digits and dashes. Its runs are <c>{sweep}.01</c>, <c>{sweep}.02</c>, … Generated when
    /// left out.
    /// </summary>
    public string? Sweep { get; init; }

    /// <summary>The run that every run of the sweep is a variation of; its own <c>run</c> is left out.</summary>
    public RunRequest Run { get; init; } = new();

    /// <summary>Tries every combination of the values (<c>grid</c>), or different ones drawn at random (<c>random</c>).</summary>
    public SearchMethod Method { get; init; } = SearchMethod.Grid;

    /// <summary>Values to try, by the training setting's name in a run request, such as <c>learningRate</c> or <c>lora.rank</c>.</summary>
    public IReadOnlyDictionary<string, SearchValues> Space { get; init; } = new Dictionary<string, SearchValues>();

    /// <summary>Number of runs, up to 100; a grid has one for each combination when left out.</summary>
    public int? Budget { get; init; }

    /// <summary>Seed of the random search.</summary>
    public int Seed { get; init; } = 42;

    /// <summary>Maximum number of GPU jobs at the same time; every job has a GPU of its own.</summary>
    public int Parallelism { get; init; } = 1;

    /// <summary>Early end of runs that are worse than others.</summary>
    public PruningSettings Pruning { get; init; } = new();
}

/// <summary>Ways to choose the combinations of a sweep.</summary>
public enum SearchMethod
{
    /// <summary>Every combination.</summary>
    Grid,

    /// <summary>Different combinations, drawn at random.</summary>
    Random,
}

/// <summary>Values of one setting: a list, or for a random search a range of numbers.</summary>
public sealed record SearchValues
{
    /// <summary>The values to try.</summary>
    public IReadOnlyList<JsonElement>? Values { get; init; }

    /// <summary>Lower bound of a range, included.</summary>
    public double? Min { get; init; }

    /// <summary>Upper bound of a range, included.</summary>
    public double? Max { get; init; }

    /// <summary>True to draw from the range by orders of magnitude, as learning rates are searched.</summary>
    public bool Log { get; init; }
}

/// <summary>Settings of the early end of a sweep's runs.</summary>
public sealed record PruningSettings
{
    /// <summary>The rule that ends runs; <c>none</c> trains each one to its end.</summary>
    public PruningRule Rule { get; init; } = PruningRule.Median;

    /// <summary>Number of a run's first validations after which it is never ended.</summary>
    public int AfterValidations { get; init; } = 1;

    /// <summary>Number of other runs that must have come as far as a run before it may be ended.</summary>
    public int MinRuns { get; init; } = 3;
}

/// <summary>Rules that end runs early.</summary>
public enum PruningRule
{
    /// <summary>
    /// The median stopping rule (https://doi.org/10.1145/3097983.3098043): ends a run whose lowest validation loss so far is above the
    /// median of the other runs' lowest losses at the same epoch.
    /// </summary>
    Median,

    /// <summary>Ends no run.</summary>
    None,
}

/// <summary>Response to <c>POST /api/sweeps</c>: the sweep that now starts.</summary>
/// <param name="StatusUrl">URL of the sweep's state.</param>
/// <param name="Runs">Number of runs.</param>
public sealed record SweepAccepted(string Sweep, string StatusUrl, int Runs);

/// <summary>A sweep in the HTTP API: the response to <c>GET /api/sweeps/{sweep}</c> and an entry of <c>GET /api/sweeps</c>.</summary>
public sealed record SweepView
{
    public required string Sweep { get; init; }

    /// <summary>The orchestration's runtime status, as of a run.</summary>
    public required string RuntimeStatus { get; init; }

    public required DateTimeOffset CreatedAt { get; init; }

    public required DateTimeOffset LastUpdatedAt { get; init; }

    public SweepProgress? Status { get; init; }

    /// <summary>Result of the sweep; null until completed.</summary>
    public SweepOutcome? Outcome { get; init; }

    /// <summary>Reason for the failure; null unless failed.</summary>
    public string? Error { get; init; }

    /// <summary>The sweep's runs in their order; null in a list of sweeps.</summary>
    public IReadOnlyList<SweepRunView>? Runs { get; init; }
}

/// <summary>A page of sweeps, newest first: the response to <c>GET /api/sweeps</c>.</summary>
/// <param name="Continuation">Token that requests the next page; null on the last page.</param>
public sealed record SweepPage(IReadOnlyList<SweepView> Sweeps, string? Continuation);

/// <summary>Progress of a sweep: its orchestration's custom status.</summary>
public sealed record SweepProgress
{
    /// <summary>Human-readable description of the current step.</summary>
    public required string Message { get; init; }

    /// <summary>Number of runs that were trained to their end.</summary>
    public int Completed { get; init; }

    /// <summary>Number of runs that were ended early.</summary>
    public int Pruned { get; init; }

    public int Failed { get; init; }

    /// <summary>The best run so far; null before the first one is completed.</summary>
    public string? Best { get; init; }

    /// <summary>Validation loss of the best run's model.</summary>
    public double? ValidationLoss { get; init; }
}

/// <summary>Outcome of a completed sweep; the orchestration's output.</summary>
/// <param name="Best">The run with the lowest validation loss.</param>
/// <param name="Published">True when the best run's model now serves.</param>
/// <param name="PublishDecision">Reason for publishing the model or not.</param>
public sealed record SweepOutcome(string Best, double ValidationLoss, bool Published, string PublishDecision);

/// <summary>A run of a sweep; <c>GET /api/runs/{run}</c> has the rest.</summary>
public sealed record SweepRunView
{
    public required string Run { get; init; }

    /// <summary>The settings that the sweep has chosen for this run.</summary>
    public required IReadOnlyDictionary<string, JsonElement> Settings { get; init; }

    /// <summary>The run's runtime status; null before its start.</summary>
    public string? RuntimeStatus { get; init; }

    public RunPhase? Phase { get; init; }

    public int? Step { get; init; }

    public int? Steps { get; init; }

    /// <summary>
    /// Validation loss of the completed run's model, the lowest one of a run that was ended early, or the last one of a run in progress.
    /// </summary>
    public double? ValidationLoss { get; init; }

    /// <summary>Place among the sweep's runs by validation loss, from 1; null before the first validation.</summary>
    public int? Rank { get; init; }

    /// <summary>Reason for the early end; null when there was none.</summary>
    public string? Pruned { get; init; }

    /// <summary>Reason for the failure; null unless failed.</summary>
    public string? Error { get; init; }
}
