namespace FunctionsPipeline.Shared;

/// <summary>
/// Gives each caller that must wait a turn of its own, one after another, so that a crowd comes back at the rate at which it can be served
/// and each caller about once. Safe for concurrent use.
/// </summary>
/// <param name="longest">Longest pause; whoever gets it asks for a turn again.</param>
internal sealed class RetryPacing(TimeProvider time, TimeSpan longest)
{
    private readonly Lock _lock = new();
    private DateTimeOffset _next;

    /// <summary>Returns the time until the caller's turn.</summary>
    /// <param name="spacing">Time between two turns: the inverse of the rate.</param>
    public TimeSpan Next(TimeSpan spacing)
    {
        lock (_lock)
        {
            var now = time.GetUtcNow();
            var turn = (_next > now ? _next : now) + spacing;
            // Turns beyond the longest pause are given to nobody, so they must not push others back.
            if (turn > now + longest) return longest;
            _next = turn;
            return turn - now;
        }
    }
}
