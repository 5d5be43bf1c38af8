using System.Diagnostics;
using System.Globalization;
using FunctionsPipeline.Contracts;
using Spectre.Console;

namespace FunctionsPipeline.LocalHost.Demo;

/// <summary>Prints the progress of a run: rewrites one line in a terminal, and prints a line every few seconds elsewhere.</summary>
public sealed class DemoScreen
{
    private static readonly TimeSpan LogInterval = TimeSpan.FromSeconds(10);

    private readonly Stopwatch _clock = Stopwatch.StartNew();
    private readonly bool _rewrites = AnsiConsole.Profile.Capabilities.Ansi && !Console.IsOutputRedirected;
    private string _lastKey = "";
    private TimeSpan _lastShown = TimeSpan.MinValue;
    private bool _open;

    /// <summary>Prints a permanent line.</summary>
    public void Say(string line)
    {
        Close();
        AnsiConsole.MarkupLineInterpolated(CultureInfo.InvariantCulture, $"[grey]{Time()}[/] {line}");
    }

    /// <summary>Shows the state of a run.</summary>
    public void Show(RunView view)
    {
        var key = $"{view.Status?.Phase}/{view.Status?.Training?.Phase}";
        if (!_rewrites && key == _lastKey && _clock.Elapsed - _lastShown < LogInterval) return;
        if (key != _lastKey) Close();
        _lastKey = key;
        _lastShown = _clock.Elapsed;
        var text = $"{Time()} {Describe(view)}";
        if (_rewrites)
        {
            Console.Write($"\r\u001b[K{text[..Math.Min(text.Length, Math.Max(20, Console.WindowWidth - 1))]}");
            _open = true;
        }
        else
        {
            Console.WriteLine(text);
        }
    }

    private static string Describe(RunView view)
    {
        if (view.Status is not { } status) return view.RuntimeStatus;
        var parts = new List<string> { status.Phase.ToString().ToLowerInvariant() };
        if (status is { Phase: RunPhase.Ingesting, Rows: { } rows })
            parts.Add(Invariant($"{rows.Rows}/{status.TotalRows} rows, {rows.Stored} stored, {rows.Duplicates} duplicates, {rows.Rejected} rejected"));
        if (status is { Phase: RunPhase.Ingesting, Rate: { } ingestRate })
            parts.Add(Invariant($"{ingestRate.RowsPerSecond:0.0} rows/s, {ingestRate.BytesPerSecond / 1e6:0.0} MB/s{(ingestRate.EtaSeconds is { } left ? Invariant($", {left:0} s left") : "")}"));
        if (status is { Phase: RunPhase.Training, Training: { } training })
        {
            parts.Add(training.Phase);
            if (training.Steps > 0) parts.Add(Invariant($"step {training.Step}/{training.Steps}, epoch {training.Epoch:0.0}"));
            if (training.Loss is { } loss) parts.Add(Invariant($"loss {loss:0.000}"));
            if (training.ValidationLoss is { } validation) parts.Add(Invariant($"validation {validation:0.000}"));
            if (training.SamplesPerSecond is { } rate) parts.Add(Invariant($"{rate:0.0} samples/s"));
            if (training.EtaSeconds is { } eta) parts.Add(Invariant($"{eta:0} s left"));
        }
        else if (status.Message is { } message)
        {
            parts.Add(message);
        }
        return string.Join("  ", parts);
    }

    private string Time() => _clock.Elapsed.ToString(@"mm\:ss", CultureInfo.InvariantCulture);

    private void Close()
    {
        if (_open) Console.WriteLine();
        _open = false;
    }

    private static string Invariant(FormattableString text) => FormattableString.Invariant(text);
}
