using System.Diagnostics;
using static TorchSharp.torch;

namespace FunctionsPipeline.Benchmarks;

/// <summary>
/// Times work in this process. Not BenchmarkDotNet: the rounds of two contenders must alternate, one of them may be another process, and
/// tensors, bandwidths and the reference's figures belong into the same tables.
/// </summary>
/// <param name="time">How long the rounds of one contender go on.</param>
/// <param name="progress">Told what is being measured.</param>
internal sealed class Meter(TimeSpan time, TextWriter progress)
{
    private const int WarmUps = 2;
    private const int FewestRounds = 5;
    private const int MostRounds = 200;

    private readonly List<(string Work, long Before, long After)> _tensors = [];

    /// <summary>How many tensors lived before and after each measurement.</summary>
    public IReadOnlyList<(string Work, long Before, long After)> Tensors => _tensors;

    /// <summary>Tells what is being done.</summary>
    public void Say(string what) => progress.WriteLine(what);

    /// <summary>Times work.</summary>
    /// <param name="name">For the progress and the table of tensors.</param>
    /// <param name="work">One round.</param>
    public Timing Measure(string name, Action work) => Measure(name, () => Time(work))[0];

    /// <summary>Times several ways to do the same, a round of each in turn, so that what else the machine does meets them alike.</summary>
    /// <param name="name">For the progress and the table of tensors.</param>
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
