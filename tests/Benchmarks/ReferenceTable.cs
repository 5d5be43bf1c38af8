using System.Globalization;

namespace FunctionsPipeline.Benchmarks;

/// <summary>Table of our times beside a limit of this machine and beside the times of the published Python code.</summary>
/// <param name="limits">Columns about the limit.</param>
internal sealed class ReferenceTable(params string[] limits)
{
    /// <summary>Source of the reference's figures.</summary>
    public const string Source =
        "Reference: the published model code in PyTorch 1.13 on Debian's libtorch (Pillow 9.4 and torchvision 0.14 for images), float32, " +
        "batch 1, two cores; the best of four medians, with OpenBLAS on OpenMP and on passive pthreads. It was recorded on another day, " +
        "on a shared machine (±20 %); on a machine of another kind the ratio says little. Ratio: the reference's time over our median.";

    private readonly Table _table = new(["work", "median ms", "fastest ms", "rounds", .. limits, "reference ms", "ratio"]);

    /// <summary>Adds a row.</summary>
    /// <param name="referenceMilliseconds">Null where the reference has no such work.</param>
    /// <param name="limitCells">A cell for every column about the limit.</param>
    public void Add(string work, Timing ours, double? referenceMilliseconds, params string[] limitCells) => _table.Add(
        [
            work, .. ours.Cells, .. limitCells, referenceMilliseconds?.ToString(CultureInfo.InvariantCulture) ?? "",
            referenceMilliseconds is { } reference ? Cell.Times(reference, ours.Median) : "",
        ]);

    /// <summary>The table.</summary>
    public Table Table => _table;
}

/// <summary>Times of the reference, <see cref="ReferenceTable.Source"/>, in milliseconds.</summary>
internal static class ReferenceFigures
{
    public const double TrainingStep = 295;
    public const double Forward = 96;
    public const double Generation = 290;
    public const double Prefill = 87;
    public const double Images16 = 50;
    public const double Images1 = 20;
    public const double Decoding = 4;
}
