using System.Globalization;

namespace FunctionsPipeline.GpuWorker.Commands;

/// <summary>
/// Prints the progress of a long write: bytes, rate and time left. Rewrites one line in a terminal, and prints a line every few seconds
/// elsewhere.
/// </summary>
/// <param name="verb">Participle that begins the line, such as <c>written</c>.</param>
/// <param name="total">Total number of bytes.</param>
/// <param name="time">Clock that measures the rate.</param>
/// <param name="output">Writer that receives the lines.</param>
/// <param name="overwrite">True to rewrite one line, false to print a line each time.</param>
internal sealed class ByteProgress(string verb, long total, TimeProvider time, TextWriter output, bool overwrite) : IProgress<long>
{
    private static readonly TimeSpan TerminalPause = TimeSpan.FromSeconds(0.5);
    private static readonly TimeSpan LinePause = TimeSpan.FromSeconds(5);
    private readonly long _started = time.GetTimestamp();
    private TimeSpan _last = TimeSpan.Zero;

    /// <param name="value">Number of bytes so far.</param>
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

    /// <summary>Prints the total with its duration and rate.</summary>
    public void Complete()
    {
        var elapsed = time.GetElapsedTime(_started);
        var rate = total / Math.Max(elapsed.TotalSeconds, 1e-3);
        Show(string.Create(CultureInfo.InvariantCulture,
            $"{verb} {Gigabytes.Text(total)} in {elapsed.TotalSeconds:0.0} s, {rate / 1e6:0} MB/s"), false);
    }

    private void Show(string line, bool again)
    {
        // Padded to 70 characters, so that a shorter line covers the previous one.
        if (overwrite) output.Write($"\r{line,-70}{(again ? "" : Environment.NewLine)}");
        else output.WriteLine(line);
    }
}
