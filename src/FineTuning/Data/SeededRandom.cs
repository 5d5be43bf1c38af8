namespace FunctionsPipeline.FineTuning;

/// <summary>
/// Randomness that is a function of a seed and a place, in place of a sequence that someone has to be in the middle of: a run that is
/// resumed draws what it would have drawn.
/// </summary>
internal static class SeededRandom
{
    /// <summary>The same numbers for the same seed and place.</summary>
    /// <param name="place">Such as an epoch, and a group in it.</param>
    public static Random At(int seed, params ReadOnlySpan<long> place)
    {
        var state = Mix(unchecked((ulong)seed));
        foreach (var part in place) state = Mix(unchecked(state + (ulong)part));
        return new Random((int)(state >> 33));
    }

    // SplitMix64 (Steele, Lea and Flood 2014): neighbouring places would otherwise draw similar numbers.
    private static ulong Mix(ulong value)
    {
        unchecked
        {
            value += 0x9E3779B97F4A7C15;
            value = (value ^ (value >> 30)) * 0xBF58476D1CE4E5B9;
            value = (value ^ (value >> 27)) * 0x94D049BB133111EB;
            return value ^ (value >> 31);
        }
    }
}
