using System.Diagnostics;
using System.Globalization;
using System.Text;

namespace FunctionsPipeline.LocalHost.Processes;

/// <summary>
/// Finds the processes of a local stack by the mark in their environment, which descendants inherit and keep when their parent is gone.
/// </summary>
public static class StackProcesses
{
    /// <summary>Lists the processes that were started for a state folder and have not ended.</summary>
    public static IReadOnlyList<StackProcess> Of(string stateFolder) =>
        [.. Directory.EnumerateDirectories("/proc")
            .Select(folder => int.TryParse(Path.GetFileName(folder), CultureInfo.InvariantCulture, out var id) ? id : 0)
            .Where(id => id > 0 && Read(id, "environ").Contains($"{LocalStack.Mark}={stateFolder}"))
            .Select(id => new StackProcess(id, Read(id, "cmdline")))];

    /// <summary>Waits until a program of this repository runs, which may be starting again, and returns its process.</summary>
    /// <param name="project">Name of the program's project.</param>
    /// <param name="command">First argument; null for any.</param>
    public static async Task<StackProcess> FindAsync(
        string stateFolder, string project, string? command, CancellationToken cancellationToken)
    {
        while (true)
        {
            // The shell beside each program has the same words in its command line, after its own.
            if (Of(stateFolder).FirstOrDefault(process => process.Words is ["dotnet", var program, var first, ..]
                && Path.GetFileName(program) == $"FunctionsPipeline.{project}.dll" && (command is null || first == command)) is { } found)
            {
                return found;
            }
            await Task.Delay(20, cancellationToken);
        }
    }

    // The kernel separates environment variables and arguments by zeros.
    internal static IReadOnlyList<string> Read(int id, string file)
    {
        try
        {
            return Encoding.UTF8.GetString(File.ReadAllBytes($"/proc/{id}/{file}")).Split('\0', StringSplitOptions.RemoveEmptyEntries);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // It has ended meanwhile, or is of another user.
            return [];
        }
    }
}

/// <summary>A process of a local stack.</summary>
/// <param name="Words">Program and arguments; none of a process that has ended and whose parent has not noticed.</param>
public sealed record StackProcess(int Id, IReadOnlyList<string> Words)
{
    /// <summary>Resident memory in bytes; 0 when the process has ended.</summary>
    public long ResidentBytes
    {
        get
        {
            try
            {
                using var process = Process.GetProcessById(Id);
                return process.WorkingSet64;
            }
            catch (Exception e) when (e is ArgumentException or InvalidOperationException)
            {
                return 0;
            }
        }
    }

    /// <summary>Ends the process at once, as <c>kill -9</c> does, and returns when it has ended.</summary>
    public async Task KillAsync()
    {
        Signals.Send(Id, Signals.Kill);
        // A process that its parent has not noticed to be dead has no words any more.
        while (StackProcesses.Read(Id, "cmdline").Count > 0) await Task.Delay(5);
    }

    /// <summary>Halts the process.</summary>
    public void Suspend() => Signals.Send(Id, Signals.Stop);

    /// <summary>Lets a halted process continue.</summary>
    public void Resume() => Signals.Send(Id, Signals.Continue);

    public override string ToString() => $"{Id} ({string.Join(' ', Words)})";
}
