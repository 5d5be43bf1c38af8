using System.ComponentModel;
using System.Diagnostics;
using System.Globalization;

namespace FunctionsPipeline.FunctionApp.Gpu;

/// <summary>Files of one local job: its output and its process id, by which a restarted host finds the job again.</summary>
internal sealed class JobProcess(string folder, string job)
{
    private static readonly TimeSpan StartTimeTolerance = TimeSpan.FromSeconds(2);

    public string LogPath { get; } = Path.Combine(folder, $"{job}.log");

    private string PidPath { get; } = Path.Combine(folder, $"{job}.pid");

    /// <summary>Writes the id and the start time of the job's process.</summary>
    public void Remember(Process process) =>
        File.WriteAllText(PidPath, string.Create(CultureInfo.InvariantCulture, $"{process.Id} {StartTime(process) ?? DateTime.UnixEpoch:O}"));

    /// <summary>True when the job was ever started on this machine.</summary>
    public bool WasStarted => File.Exists(PidPath);

    /// <summary>Finds the job's process; null when it has ended. The start time tells it from a later process with the same id.</summary>
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
            // The process ended before or during the call.
            return null;
        }
    }

    /// <summary>Reads the last lines of the job's output; null when there is none.</summary>
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
