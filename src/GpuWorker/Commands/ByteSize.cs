using System.Globalization;

namespace FunctionsPipeline.GpuWorker.Commands;

/// <summary>Formats byte counts in decimal units, as disks and GPUs are labelled.</summary>
internal static class ByteSize
{
    /// <summary>Formats a size, such as <c>8.29 GB</c>, <c>393 MB</c> or <c>2.5 MB</c>.</summary>
    public static string Text(long bytes) => bytes switch
    {
        < 1_000_000 => string.Create(CultureInfo.InvariantCulture, $"{bytes / 1e3:0} kB"),
        < 10_000_000 => string.Create(CultureInfo.InvariantCulture, $"{bytes / 1e6:0.0} MB"),
        < 1_000_000_000 => string.Create(CultureInfo.InvariantCulture, $"{bytes / 1e6:0} MB"),
        _ => string.Create(CultureInfo.InvariantCulture, $"{bytes / 1e9:0.00} GB"),
    };
}
