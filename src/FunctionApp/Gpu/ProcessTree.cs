using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;

namespace FunctionsPipeline.FunctionApp.Gpu;

/// <summary>A process with all that it has started, as it is now; the library can only kill one, not ask it to stop.</summary>
internal static class ProcessTree
{
    private const int SigTerm = 15;

    /// <summary>Asks a process and its descendants to stop (SIGTERM), and kills what is left of them after a time.</summary>
    /// <param name="patience">0 kills at once. So does a system without <c>/proc</c>, which knows no such signal.</param>
    /// <param name="cancellation">Ends the patience.</param>
    public static async Task StopAsync(Process process, TimeSpan patience, CancellationToken cancellation)
    {
        if (patience > TimeSpan.Zero && Directory.Exists("/proc/self"))
        {
            var members = Descendants(process.Id).Append(process.Id).Select(Find).OfType<Process>().ToList();
            foreach (var member in members) _ = Kill(member.Id, SigTerm);
            using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
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
            // "1234 (name) S 1 …": the name may hold anything, a closing parenthesis too.
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
