using System.Diagnostics;
using System.Globalization;
using Spectre.Console;

namespace FunctionsPipeline.LocalHost;

/// <summary>Prints progress: rewrites one line in a terminal, and prints a line every few seconds elsewhere.</summary>
public sealed class ProgressScreen(IAnsiConsole console)
{
    private static readonly TimeSpan LogInterval = TimeSpan.FromSeconds(10);

    private readonly Stopwatch _clock = Stopwatch.StartNew();
    private readonly bool _rewrites = console.Profile.Capabilities.Ansi && console.Profile.Out.IsTerminal;
    private string? _lastKey;
    private TimeSpan _lastShown;
    private bool _open;

    /// <summary>Prints a permanent line.</summary>
    public void Say(string line)
    {
        lock (_clock)
        {
            Close();
            console.MarkupInterpolated(CultureInfo.InvariantCulture, $"[grey]{Time()}[/] ");
            // Not wrapped: paths and identifiers can be copied.
            console.Profile.Out.Writer.WriteLine(line);
        }
    }

    /// <summary>Shows the state of what is in progress.</summary>
    /// <param name="key">Phase of the work; the first state of each phase begins a new line.</param>
    public void Show(string state, string key = "")
    {
        lock (_clock)
        {
            if (!_rewrites && key == _lastKey && _clock.Elapsed - _lastShown < LogInterval) return;
            if (key != _lastKey) Close();
            _lastKey = key;
            _lastShown = _clock.Elapsed;
            var text = $"{Time()} {state}";
            var output = console.Profile.Out;
            if (_rewrites)
            {
                // ESC [ K erases the rest of the line. A text as wide as the window would wrap, and \r returns to its last row only.
                output.Writer.Write($"\r\u001b[K{text[..Math.Min(text.Length, Math.Max(20, output.Width - 1))]}");
                output.Writer.Flush();
                _open = true;
            }
            else
            {
                output.Writer.WriteLine(text);
            }
        }
    }

    /// <summary>Ends the line that is rewritten, so that something else can be printed.</summary>
    public void Close()
    {
        lock (_clock)
        {
            if (_open) console.Profile.Out.Writer.WriteLine();
            _open = false;
        }
    }

    private string Time() => _clock.Elapsed.ToString(@"mm\:ss", CultureInfo.InvariantCulture);
}
