using System.Globalization;

namespace FunctionsPipeline.GpuWorker.Commands;

/// <summary>
/// Shows how far a long write is: bytes, rate and time left; on one line of a terminal, in lines seconds apart elsewhere.
/// </summary>
/// <param name="verb">What is done, such as <c>written</c>.</param>
/// <param name="total">Bytes in the end.</param>
/// <param name="time">The clock.</param>
/// <param name="output">Where to.</param>
/// <param name="overwrite">Whether each line takes the place of the one before.</param>
internal sealed class ByteProgress(string verb, long total, TimeProvider time, TextWriter output, bool overwrite) : IProgress<long>
{
    private static readonly TimeSpan TerminalPause = TimeSpan.FromSeconds(0.5);
    private static readonly TimeSpan LinePause = TimeSpan.FromSeconds(5);
    private readonly long _started = time.GetTimestamp();
    private TimeSpan _last = TimeSpan.Zero;

    /// <param name="value">Bytes so far.</param>
    public void Report(long value)
    {
        var elapsed = time.GetElapsedTime(_started);
        if (elapsed - _last < (overwrite ? TerminalPause : LinePause)) return;
        _last = elapsed;
        var rate = value / elapsed.TotalSeconds;
        var left = TimeSpan.FromSeconds(Math.Ceiling((total - value) / rate));
        Show(string.Create(CultureInfo.InvariantCulture,
            $"{verb} {value / 1e9:0.00} of {Gigabytes.Text(total)}, {rate / 1e6:0} MB/s, {left:c} left"), overwrite);
    }

    /// <summary>Shows the end.</summary>
    public void Complete()
    {
        var elapsed = time.GetElapsedTime(_started);
        var rate = total / Math.Max(elapsed.TotalSeconds, 1e-3);
        Show(string.Create(CultureInfo.InvariantCulture,
            $"{verb} {Gigabytes.Text(total)} in {elapsed.TotalSeconds:0.0} s, {rate / 1e6:0} MB/s"), false);
    }

    private void Show(string line, bool again)
    {
        // Blanks cover what a longer line has left.
        if (overwrite) output.Write($"\r{line,-70}{(again ? "" : Environment.NewLine)}");
        else output.WriteLine(line);
    }
}
