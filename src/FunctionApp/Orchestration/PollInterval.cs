namespace FunctionsPipeline.FunctionApp.Orchestration;

/// <summary>
/// Pause between two polls of a long task. The pause grows with the task's age, because every poll adds to the orchestration's history.
/// </summary>
internal static class PollInterval
{
    private static readonly TimeSpan Shortest = TimeSpan.FromSeconds(2);

    /// <param name="running">Age of the task.</param>
    /// <param name="part">Divisor of the age: 10 pauses for a tenth of it.</param>
    /// <param name="longest">Upper bound of the pause.</param>
    public static TimeSpan After(TimeSpan running, int part, TimeSpan longest) =>
        TimeSpan.FromTicks(Math.Clamp(running.Ticks / part, Shortest.Ticks, longest.Ticks));
}
