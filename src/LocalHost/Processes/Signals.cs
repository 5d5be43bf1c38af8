using System.Runtime.InteropServices;

namespace FunctionsPipeline.LocalHost.Processes;

/// <summary>Sends Unix signals, of which the .NET library knows only SIGKILL.</summary>
internal static partial class Signals
{
    public const int Kill = 9;
    public const int Terminate = 15;
    public const int Continue = 18;
    public const int Stop = 19;

    /// <summary>Sends a signal; a process that has ended meanwhile is no error.</summary>
    public static void Send(int processId, int signal) => _ = SendTo(processId, signal);

    [LibraryImport("libc", EntryPoint = "kill")]
    private static partial int SendTo(int pid, int signal);
}
