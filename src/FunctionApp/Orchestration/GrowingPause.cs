namespace FunctionsPipeline.FunctionApp.Orchestration;

/// <summary>The pause before the next look at long work: short at first, and longer for long work, as every look is in the history.</summary>
internal static class GrowingPause
{
    private static readonly TimeSpan Shortest = TimeSpan.FromSeconds(2);

    /// <param name="running">How long the work has taken.</param>
    /// <param name="part">The pause is this part of it: 10 for a tenth.</param>
    /// <param name="longest">At most.</param>
    public static TimeSpan After(TimeSpan running, int part, TimeSpan longest) =>
        TimeSpan.FromTicks(Math.Clamp(running.Ticks / part, Shortest.Ticks, longest.Ticks));
}
