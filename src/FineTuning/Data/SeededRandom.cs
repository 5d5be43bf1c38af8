namespace FunctionsPipeline.FineTuning;

/// <summary>
/// Random numbers as a function of a seed and a position, without the state of a sequence, so that a resumed run draws the same numbers as
/// an uninterrupted one.
/// </summary>
internal static class SeededRandom
{
    /// <summary>Creates a generator; equal seeds and places give equal numbers.</summary>
    /// <param name="place">Position, such as an epoch and a group within it.</param>
    public static Random At(int seed, params ReadOnlySpan<long> place)
    {
        var state = Mix(unchecked((ulong)seed));
        foreach (var part in place) state = Mix(unchecked(state + (ulong)part));
        return new Random((int)(state >> 33));
    }

    // SplitMix64 (Steele, Lea and Flood 2014): without the mixing, neighbouring places would draw similar numbers.
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
