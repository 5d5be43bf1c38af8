using System.ComponentModel;
using System.Diagnostics;
using System.Globalization;

namespace FunctionsPipeline.FunctionApp.Gpu;

/// <summary>The files of one local job: its output, and the process it runs in, so that a host that was restarted finds it again.</summary>
internal sealed class JobProcess(string folder, string job)
{
    private static readonly TimeSpan StartTimeTolerance = TimeSpan.FromSeconds(2);

    public string LogPath { get; } = Path.Combine(folder, $"{job}.log");

    private string PidPath { get; } = Path.Combine(folder, $"{job}.pid");

    /// <summary>Notes the process that the job runs in.</summary>
    public void Remember(Process process) =>
        File.WriteAllText(PidPath, string.Create(CultureInfo.InvariantCulture, $"{process.Id} {StartTime(process) ?? DateTime.UnixEpoch:O}"));

    /// <summary>Whether the job was ever started here.</summary>
    public bool WasStarted => File.Exists(PidPath);

    /// <summary>The process, if it still runs. A process that got the same id later started at another time.</summary>
    public Process? Find()
    {
        if (!WasStarted) return null;
        var parts = File.ReadAllText(PidPath).Split(' ');
        if (parts.Length != 2
            || !int.TryParse(parts[0], CultureInfo.InvariantCulture, out var id)
            || !DateTime.TryParse(parts[1], CultureInfo.InvariantCulture, DateTimeStyles.RoundtripKind, out var started))
            return null;
        try
        {
            var process = Process.GetProcessById(id);
            if (StartTime(process) is { } actual && (actual - started).Duration() < StartTimeTolerance) return process;
            process.Dispose();
            return null;
        }
        catch (ArgumentException)
        {
            return null;
        }
    }

    private static DateTime? StartTime(Process process)
    {
        try
        {
            return process.StartTime.ToUniversalTime();
        }
        catch (Exception e) when (e is InvalidOperationException or Win32Exception)
        {
            // It has ended: before it was asked, or while.
            return null;
        }
    }

    /// <summary>The end of the output; null when there is none.</summary>
    public string? LastOutput(int lines = 20)
    {
        if (!File.Exists(LogPath)) return null;
        using var stream = new FileStream(LogPath, FileMode.Open, FileAccess.Read, FileShare.ReadWrite);
        stream.Seek(-Math.Min(stream.Length, 8192), SeekOrigin.End);
        using var reader = new StreamReader(stream);
        var tail = string.Join('\n', reader.ReadToEnd().TrimEnd().Split('\n').TakeLast(lines));
        return tail.Length == 0 ? null : tail;
    }
}
