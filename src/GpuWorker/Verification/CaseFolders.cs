using System.Text.Json;

namespace FunctionsPipeline.GpuWorker.Verification;

/// <summary>Finds the recordings in a folder.</summary>
internal static class CaseFolders
{
    /// <summary>Returns the folder itself when it contains one of the files, otherwise all folders below that do, in order.</summary>
    /// <exception cref="CommandException">No folder contains one of the files.</exception>
    public static IReadOnlyList<string> Find(string folder, params string[] files)
    {
        bool IsCase(string candidate) => files.Any(file => File.Exists(Path.Combine(candidate, file)));
        if (IsCase(folder)) return [folder];
        var below = Directory.EnumerateDirectories(folder, "*", SearchOption.AllDirectories);
        var cases = below.Where(IsCase).Order(StringComparer.Ordinal).ToList();
        if (cases.Count > 0) return cases;
        throw new CommandException($"'{folder}' holds no recording: neither it nor a folder below it has {string.Join(" or ", files)}.");
    }

    /// <summary>Returns a case's name: its path relative to the root.</summary>
    public static string Name(string root, string folder) =>
        root == folder ? Path.GetFileName(Path.TrimEndingDirectorySeparator(folder)) : Path.GetRelativePath(root, folder);

    /// <summary>Verifies each case; an error in reading one is reported as that case's problem.</summary>
    public static IEnumerable<CaseReport> Report(
        string root, IEnumerable<string> folders, Func<string, string, IEnumerable<CaseReport>> verify)
    {
        foreach (var folder in folders)
        {
            var name = Name(root, folder);
            List<CaseReport> reports;
            try
            {
                reports = [.. verify(folder, name)];
            }
            catch (Exception e) when (
                e is IOException or InvalidDataException or UnauthorizedAccessException or ArgumentException or KeyNotFoundException
                or InvalidOperationException or JsonException or FormatException or CommandException)
            {
                reports = [CaseReport.Unreadable(name, e.Message)];
            }
            foreach (var report in reports) yield return report;
        }
    }
}
