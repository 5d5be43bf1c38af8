namespace FunctionsPipeline.Images.Tests;

/// <summary>Measures what memory the process takes at its peak, native memory included; whoever measures runs alone.</summary>
[CollectionDefinition(nameof(PeakMemory), DisableParallelization = true)]
public sealed class PeakMemory
{
    private const long Megabyte = 1024 * 1024;

    /// <summary>Fails if the action needs more memory than there was.</summary>
    public static void AssertBelow(int megabytes, Action action) => Assert.InRange(Of(action) / Megabyte, 0, megabytes);

    /// <summary>Bytes by which the peak during the action is above what there was before.</summary>
    public static long Of(Action action)
    {
        const string resetPeak = "5";
        File.WriteAllText("/proc/self/clear_refs", resetPeak);
        var before = Read("VmRSS:");
        action();
        return Math.Max(0, Read("VmHWM:") - before);
    }

    private static long Read(string name)
    {
        var line = File.ReadLines("/proc/self/status").Single(line => line.StartsWith(name, StringComparison.Ordinal));
        return long.Parse(line[name.Length..^"kB".Length], provider: null) * 1024;
    }
}
