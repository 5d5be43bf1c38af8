using System.Globalization;
using System.Runtime.InteropServices;
using System.Text.Json;
using TorchSharp;

namespace FunctionsPipeline.Benchmarks;

/// <summary>What the figures depend on.</summary>
internal static class Machine
{
    private static readonly string[] MeasuredPackages = ["TorchSharp", "SixLabors.ImageSharp", "SkiaSharp", "Parquet.Net"];
    private static readonly string[] VectorFlags = ["avx2", "avx512f", "avx512_bf16", "amx_bf16"];

    /// <summary>The processor has instructions for products of bf16.</summary>
    public static bool HasBf16 => Vectors().Any(flag => flag.EndsWith("bf16", StringComparison.Ordinal));

    /// <summary>As Markdown.</summary>
    public static string Markdown(DateTimeOffset date, TimeSpan time)
    {
        var lines = new List<string>();
        Add("date", date.ToString("yyyy-MM-dd", CultureInfo.InvariantCulture));
        Add("processor", $"{CpuInfo("model name") ?? $"{RuntimeInformation.ProcessArchitecture}"}, {Environment.ProcessorCount} cores");
        Add("vector instructions", string.Join(", ", Vectors()));
        if (File.Exists("/proc/loadavg")) Add("load before", File.ReadAllText("/proc/loadavg").Split(' ')[0]);
        if (torch.cuda.is_available()) Add("GPUs", torch.cuda.device_count().ToString(CultureInfo.InvariantCulture));
        Add("torch threads, where no others are given", torch.get_num_threads().ToString(CultureInfo.InvariantCulture));
        Add("packages", string.Join(", ", Packages()));
        Add(".NET", $"{Environment.Version}, {RuntimeInformation.RuntimeIdentifier}");
        Add("time for each measurement", $"{time.TotalSeconds.ToString(CultureInfo.InvariantCulture)} s, two rounds of warm-up before");
        return string.Concat(lines);

        void Add(string setting, string value) => lines.Add($"* {setting}: {value}\n");
    }

    /// <summary>Vector instructions that libtorch chooses its code by.</summary>
    private static IEnumerable<string> Vectors() => CpuInfo("flags")?.Split(' ').Intersect(VectorFlags) ?? [];

    /// <summary>Reads an entry of /proc/cpuinfo for the first core.</summary>
    private static string? CpuInfo(string field) =>
        File.Exists("/proc/cpuinfo")
        && File.ReadLines("/proc/cpuinfo").FirstOrDefault(line => line.StartsWith(field, StringComparison.Ordinal)) is { } line
            ? line[(line.IndexOf(':') + 1)..].Trim()
            : null;

    /// <summary>Packages whose code is measured, with their versions.</summary>
    private static IEnumerable<string> Packages()
    {
        using var file = File.OpenRead(Path.ChangeExtension(typeof(Machine).Assembly.Location, ".deps.json"));
        using var document = JsonDocument.Parse(file);
        return [.. document.RootElement.GetProperty("libraries").EnumerateObject().Select(library => library.Name.Split('/'))
            .Where(library => MeasuredPackages.Contains(library[0]) || library[0].StartsWith("libtorch-", StringComparison.Ordinal))
            .Select(library => string.Join(' ', library))];
    }
}
