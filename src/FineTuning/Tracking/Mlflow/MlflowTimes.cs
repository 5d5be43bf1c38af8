namespace FunctionsPipeline.FineTuning;

/// <summary>Time limits and pauses of tracking.</summary>
internal sealed record MlflowTimes
{
    /// <summary>Time limit of one call.</summary>
    public TimeSpan Call { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>Pause between two calls that log metrics.</summary>
    public TimeSpan Pause { get; init; } = TimeSpan.FromSeconds(2);

    /// <summary>Pause after the first failed call, doubled after each further one.</summary>
    public TimeSpan FirstWait { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>Longest pause after a failed call, unless the server asks for a longer one.</summary>
    public TimeSpan LongestWait { get; init; } = TimeSpan.FromMinutes(1);

    /// <summary>Time limit for logging everything that is pending when the run has ended.</summary>
    public TimeSpan End { get; init; } = TimeSpan.FromSeconds(15);

    /// <summary>Shortest interval between two warnings in the log.</summary>
    public TimeSpan BetweenWarnings { get; init; } = TimeSpan.FromMinutes(5);
}
