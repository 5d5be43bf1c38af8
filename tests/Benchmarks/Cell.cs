using System.Globalization;

namespace FunctionsPipeline.Benchmarks;

/// <summary>Texts of a table's cells.</summary>
internal static class Cell
{
    /// <summary>A number with three digits.</summary>
    public static string Number(double value) =>
        value.ToString(value < 10 ? "0.00" : value < 100 ? "0.0" : "0", CultureInfo.InvariantCulture);

    /// <summary>A value as a multiple of another.</summary>
    public static string Times(double value, double of) => string.Create(CultureInfo.InvariantCulture, $"{value / of:0.00}×");

    /// <summary>A rate in percent of its limit.</summary>
    public static string Share(double rate, double limit) => (rate / limit).ToString("P0", CultureInfo.InvariantCulture);

    /// <summary>A number of threads.</summary>
    public static string Threads(int count) => count == 1 ? "1 thread" : $"{count} threads";
}
