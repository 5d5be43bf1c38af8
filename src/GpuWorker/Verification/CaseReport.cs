using System.Globalization;
using System.Text.Json;
using FunctionsPipeline.Contracts;

namespace FunctionsPipeline.GpuWorker.Verification;

/// <summary>Report on one case.</summary>
/// <param name="Case">Name of the case: its folder, or another identification.</param>
/// <param name="NotChecked">Recorded outputs that were not compared, each with the reason.</param>
/// <param name="Problem">Reason why the case could not be read; null when it could.</param>
public sealed record CaseReport(
    string Case, IReadOnlyList<Comparison> Comparisons, IReadOnlyList<string> NotChecked, string? Problem = null)
{
    /// <summary>Creates the report of a case that could not be read.</summary>
    public static CaseReport Unreadable(string name, string problem) => new(name, [], [], problem);

    /// <summary>True when an output is out of tolerance.</summary>
    public bool Differs => Comparisons.Any(comparison => !comparison.Fits);
}

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

/// <summary>Prints a line for each report as it arrives, and counts the outcomes.</summary>
/// <param name="json">True to print each report as a JSON object with every output, one per line.</param>
internal sealed class ReportPrinter(TextWriter output, bool json)
{
    private static readonly (string Prefix, string Name)[] Families =
    [
        (GradientComparison.Prefix, "gradients"), (LoraTrainingVerifier.GradientPrefix, "first gradients"),
        (LoraTrainingVerifier.FinalPrefix, "trained adapters"), (LoraTrainingVerifier.MergedPrefix, "merged weights"),
    ];

    private int _agreeing, _unchecked;

    /// <summary>Number of cases with an output out of tolerance.</summary>
    public int Differing { get; private set; }

    /// <summary>Number of cases that could not be read.</summary>
    public int Unreadable { get; private set; }

    /// <summary>Number of cases with at least one comparison.</summary>
    public int Compared => _agreeing + Differing;

    /// <summary>Numbers of cases by outcome, as one sentence.</summary>
    public string Summary => $"{_agreeing} agree, {Differing} differ, {Unreadable} could not be read, {_unchecked} were not checked.";

    public void Print(CaseReport report)
    {
        var outcome = Outcome(report);
        if (json) output.WriteLine(Json(report, outcome));
        else output.WriteLine($"{outcome,-11} {report.Case}: {string.Join("; ", Parts(report))}");
        output.Flush();
    }

    private string Outcome(CaseReport report)
    {
        if (report.Problem is not null)
        {
            Unreadable++;
            return "unreadable";
        }
        if (report.Differs)
        {
            Differing++;
            return "DIFFERS";
        }
        if (report.Comparisons.Count == 0)
        {
            _unchecked++;
            return "not checked";
        }
        _agreeing++;
        return "agrees";
    }

    private static IEnumerable<string> Parts(CaseReport report)
    {
        if (report.Problem is not null) yield return report.Problem;
        var families = Families.Select(family => (family.Name, Members: report.Comparisons
            .Where(comparison => comparison.Output.StartsWith(family.Prefix, StringComparison.Ordinal)).ToList())).ToList();
        var lines = report.Comparisons.Except(families.SelectMany(family => family.Members)).Select(Line).ToList();
        lines.AddRange(families.Where(family => family.Members.Count > 0).Select(family => Worst(family.Name, family.Members)));
        if (lines.Count > 0) yield return string.Join(", ", lines);
        if (report.NotChecked.Count > 0) yield return $"not checked: {string.Join(", ", report.NotChecked)}";
    }

    /// <summary>Describes a family of outputs by its worst member; all members have the same tolerance.</summary>
    private static string Worst(string family, IReadOnlyList<Comparison> members)
    {
        var worst = members.Aggregate((a, b) => double.IsNaN(a.Difference) || b.Difference <= a.Difference ? a : b);
        return $"{members.Count} {family} {Numbers(worst)}{(worst.Fits ? "" : $" <- {worst.Output} {worst.Detail}")}";
    }

    private static string Line(Comparison comparison) =>
        $"{comparison.Output} {Numbers(comparison)}{(comparison.Fits ? "" : $" <- {comparison.Detail ?? "out of tolerance"}")}";

    private static string Numbers(Comparison comparison) => $"{Number(comparison.Difference)} ({Number(comparison.Tolerance)})";

    private static string Number(double value) =>
        value.ToString(value == Math.Floor(value) ? "0" : "0.0e-00", CultureInfo.InvariantCulture);

    private static string Json(CaseReport report, string outcome) => JsonSerializer.Serialize(
        new
        {
            report.Case,
            outcome = outcome.ToLowerInvariant().Replace(' ', '-'),
            outputs = report.Comparisons.Select(comparison => new
            {
                comparison.Output,
                // JSON has no infinity, so a difference that cannot be measured is null.
                difference = double.IsFinite(comparison.Difference) ? comparison.Difference : (double?)null,
                comparison.Tolerance,
                comparison.Fits,
                comparison.Detail,
            }),
            report.NotChecked,
            report.Problem,
        },
        PipelineJson.Compact);
}
