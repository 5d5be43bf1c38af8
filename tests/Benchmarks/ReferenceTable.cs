using System.Globalization;

namespace FunctionsPipeline.Benchmarks;

/// <summary>Our times beside those of the published Python code.</summary>
internal sealed class ReferenceTable
{
    /// <summary>Where the reference's figures come from.</summary>
    public const string Source =
        "Reference: the published model code in PyTorch 1.13 on Debian's libtorch (Pillow 9.4 and torchvision 0.14 for images), float32, " +
        "batch 1, two cores; the best of four medians, with OpenBLAS on OpenMP and on passive pthreads. It was recorded on another day, " +
        "on a shared machine (±20 %); on a machine of another kind the ratio says little. Ratio: the reference's time over our median.";

    private readonly Table _table = new("work", "median ms", "fastest ms", "rounds", "reference ms", "ratio");

    /// <summary>Adds a row.</summary>
    public void Add(string work, Timing ours, double referenceMilliseconds) => _table.Add(
        [
            work, .. ours.Cells, referenceMilliseconds.ToString(CultureInfo.InvariantCulture),
            string.Create(CultureInfo.InvariantCulture, $"{referenceMilliseconds / ours.Median:0.00}×"),
        ]);

    /// <summary>The table.</summary>
    public Table Table => _table;
}
