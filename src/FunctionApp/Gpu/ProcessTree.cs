using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;

namespace FunctionsPipeline.FunctionApp.Gpu;

/// <summary>Stops a process with all its descendants. The .NET library can only kill a process, not send it SIGTERM.</summary>
internal static class ProcessTree
{
    private const int SigTerm = 15;

    /// <summary>
    /// Sends SIGTERM to a process and its descendants, and kills those that are left when their time has passed.
    /// </summary>
    /// <param name="patience">Time to end in; 0 kills at once, as does a system without <c>/proc</c>.</param>
    /// <param name="cancellationToken">Ends the wait and kills at once.</param>
    public static async Task StopAsync(Process process, TimeSpan patience, CancellationToken cancellationToken)
    {
        if (patience > TimeSpan.Zero && Directory.Exists("/proc/self"))
        {
            var members = Descendants(process.Id).Append(process.Id).Select(Find).OfType<Process>().ToList();
            foreach (var member in members) _ = Kill(member.Id, SigTerm);
            using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
            limit.CancelAfter(patience);
            foreach (var member in members) await StopAsync(member, limit.Token);
        }
        process.Kill(entireProcessTree: true);
        await process.WaitForExitAsync(CancellationToken.None);
    }

    private static async Task StopAsync(Process member, CancellationToken patience)
    {
        using (member)
        {
            try
            {
                await member.WaitForExitAsync(patience);
            }
            catch (OperationCanceledException)
            {
                member.Kill(entireProcessTree: true);
            }
        }
    }

    private static Process? Find(int id)
    {
        try
        {
            return Process.GetProcessById(id);
        }
        catch (ArgumentException)
        {
            return null;
        }
    }

    private static List<int> Descendants(int id)
    {
        var parents = Directory.EnumerateDirectories("/proc")
            .Select(folder => int.TryParse(Path.GetFileName(folder), CultureInfo.InvariantCulture, out var process) ? process : 0)
            .Where(process => process > 0).ToDictionary(process => process, Parent);
        var found = new List<int> { id };
        for (var i = 0; i < found.Count; i++) found.AddRange(parents.Where(pair => pair.Value == found[i]).Select(pair => pair.Key));
        return found[1..];
    }

    private static int Parent(int id)
    {
        try
        {
            // /proc/{id}/stat reads "1234 (name) S 1 …": the parent follows the last parenthesis, because the name may contain parentheses
            // itself.
            var stat = File.ReadAllText($"/proc/{id}/stat");
            return int.Parse(stat[(stat.LastIndexOf(')') + 2)..].Split(' ')[1], CultureInfo.InvariantCulture);
        }
        catch (IOException)
        {
            return 0;
        }
    }

    [DllImport("libc", EntryPoint = "kill")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern int Kill(int process, int signal);
}
