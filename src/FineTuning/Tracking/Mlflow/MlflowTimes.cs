namespace FunctionsPipeline.FineTuning;

/// <summary>How patient tracking is.</summary>
internal sealed record MlflowTimes
{
    /// <summary>For one call.</summary>
    public TimeSpan Call { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>Between two calls that log metrics.</summary>
    public TimeSpan Pause { get; init; } = TimeSpan.FromSeconds(2);

    /// <summary>After the first call that failed; twice as long after each further one.</summary>
    public TimeSpan FirstWait { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>After a call that failed, unless the server wants to be left alone for longer.</summary>
    public TimeSpan LongestWait { get; init; } = TimeSpan.FromMinutes(1);

    /// <summary>For everything that is still to be told when the run has ended.</summary>
    public TimeSpan End { get; init; } = TimeSpan.FromSeconds(15);

    /// <summary>Between two warnings in the log.</summary>
    public TimeSpan BetweenWarnings { get; init; } = TimeSpan.FromMinutes(5);
}
