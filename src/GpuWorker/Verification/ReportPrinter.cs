using System.Globalization;
using System.Text.Json;
using FunctionsPipeline.Contracts;

namespace FunctionsPipeline.GpuWorker.Verification;

/// <summary>Prints a line for each report as it arrives, and counts the outcomes.</summary>
/// <param name="json">True to print each report as a JSON object with every output, one per line.</param>
internal sealed class ReportPrinter(TextWriter output, bool json)
{
    private static readonly (string Prefix, string Name)[] Families =
    [
        (GradientComparisons.Prefix, "gradients"), (LoraStepsVerifier.GradientPrefix, "first gradients"),
        (LoraStepsVerifier.FinalPrefix, "trained adapters"), (LoraStepsVerifier.MergedPrefix, "merged weights"),
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
        var worst = members.Aggregate((a, b) => b.Difference <= a.Difference ? a : b);
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
