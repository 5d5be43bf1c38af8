using System.Globalization;
using FunctionsPipeline.Contracts;

namespace FunctionsPipeline.GpuWorker;

/// <summary>Prints heartbeats as readable lines and skips repeated ones.</summary>
internal sealed class HeartbeatLines(TextWriter output) : IProgress<Heartbeat>
{
    private string? _last;

    /// <inheritdoc/>
    public void Report(Heartbeat value)
    {
        var line = Describe(value);
        if (line == _last) return;
        output.WriteLine(line);
        _last = line;
    }

    /// <summary>Formats a heartbeat as one line.</summary>
    public static string Describe(Heartbeat heartbeat)
    {
        var parts = new List<string> { heartbeat.Phase };
        if (heartbeat.Steps > 0) parts.Add($"step {heartbeat.Step}/{heartbeat.Steps}");
        if (heartbeat.Loss is { } loss) parts.Add(Invariant($"loss {loss:0.000}"));
        if (heartbeat.ValidationLoss is { } validation) parts.Add(Invariant($"validation loss {validation:0.000}"));
        if (heartbeat.SamplesPerSecond is { } rate) parts.Add(Invariant($"{rate:0.0} samples/s"));
        if (heartbeat.EtaSeconds is { } seconds) parts.Add($"{TimeSpan.FromSeconds(Math.Round(seconds)):c} left");
        return string.Join(", ", parts);
    }

    private static string Invariant(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
