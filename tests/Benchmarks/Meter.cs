using System.Diagnostics;
using System.Globalization;
using static TorchSharp.torch;

namespace FunctionsPipeline.Benchmarks;

/// <summary>
/// Times work in this process. Not BenchmarkDotNet: the rounds of two contenders must alternate, one of them may be another process, and
/// tensors, bandwidths and the reference's figures belong into the same tables.
/// </summary>
/// <param name="time">Time for the rounds of one contender.</param>
/// <param name="progress">Receives the name of each measurement.</param>
internal sealed class Meter(TimeSpan time, TextWriter progress)
{
    private const int WarmUps = 2;
    private const int FewestRounds = 5;
    private const int MostRounds = 200;

    private readonly List<(string Work, long Before, long After)> _tensors = [];

    /// <summary>Number of live tensors before and after each measurement.</summary>
    public IReadOnlyList<(string Work, long Before, long After)> Tensors => _tensors;

    /// <summary>Tells what is being done.</summary>
    public void Say(string what) => progress.WriteLine(what);

    /// <summary>Times work.</summary>
    /// <param name="name">Name in the progress and in the table of tensors.</param>
    /// <param name="work">One round.</param>
    public Timing Measure(string name, Action work) => Measure(name, () => Time(work))[0];

    /// <summary>Times several ways to do the same, a round of each in turn, so that what else the machine does meets them alike.</summary>
    /// <param name="name">Name in the progress and in the table of tensors.</param>
    /// <param name="contenders">One round of each; they give the milliseconds that it took.</param>
    /// <returns>The timing of each.</returns>
    public Timing[] Measure(string name, params Func<double>[] contenders)
    {
        Say($"measuring: {name}");
        for (var i = 0; i < WarmUps; i++)
            foreach (var contender in contenders) contender();
        var before = LiveTensors();
        var rounds = contenders.Select(_ => new List<double>()).ToArray();
        var started = Stopwatch.GetTimestamp();
        while (rounds[0].Count < FewestRounds
            || (rounds[0].Count < MostRounds && Stopwatch.GetElapsedTime(started) < time * contenders.Length))
            for (var i = 0; i < contenders.Length; i++) rounds[i].Add(contenders[i]());
        _tensors.Add((name, before, LiveTensors()));
        return [.. rounds.Select(milliseconds => new Timing(milliseconds))];
    }

    /// <summary>Milliseconds that work takes.</summary>
    public static double Time(Action work)
    {
        var started = Stopwatch.GetTimestamp();
        work();
        return Stopwatch.GetElapsedTime(started).TotalMilliseconds;
    }

    private static long LiveTensors()
    {
        // What was left to the finalizer must not be counted.
        GC.Collect();
        GC.WaitForPendingFinalizers();
        return Tensor.TotalCount;
    }
}

/// <summary>Durations of rounds of the same work.</summary>
/// <param name="Milliseconds">Milliseconds of each round.</param>
internal sealed record Timing(IReadOnlyList<double> Milliseconds)
{
    /// <summary>The middle round; the mean of the two middle ones where their number is even.</summary>
    public double Median
    {
        get
        {
            var sorted = Milliseconds.Order().ToArray();
            return (sorted[(sorted.Length - 1) / 2] + sorted[sorted.Length / 2]) / 2;
        }
    }

    /// <summary>The round that a share of all, from 0 to 1, is no slower than.</summary>
    public double Percentile(double share) => Milliseconds.Order().ElementAt((int)Math.Ceiling(share * Rounds) - 1);

    /// <summary>The fastest round.</summary>
    public double Minimum => Milliseconds.Min();

    /// <summary>Number of rounds.</summary>
    public int Rounds => Milliseconds.Count;

    /// <summary>Median, fastest and number of rounds, as cells of a table.</summary>
    public IEnumerable<string> Cells => [Cell.Number(Median), Cell.Number(Minimum), Rounds.ToString(CultureInfo.InvariantCulture)];
}
