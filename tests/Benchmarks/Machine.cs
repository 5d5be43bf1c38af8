using System.Globalization;
using System.Runtime.InteropServices;
using System.Text.RegularExpressions;
using TorchSharp;

namespace FunctionsPipeline.Benchmarks;

/// <summary>What the figures depend on.</summary>
internal static partial class Machine
{
    /// <summary>As Markdown.</summary>
    public static string Markdown(DateTimeOffset date, TimeSpan time)
    {
        var lines = new List<string>();
        Add("date", date.ToString("yyyy-MM-dd", CultureInfo.InvariantCulture));
        Add("processor", $"{Processor()}, {Environment.ProcessorCount} cores");
        if (File.Exists("/proc/loadavg")) Add("load before", File.ReadAllText("/proc/loadavg").Split(' ')[0]);
        if (torch.cuda.is_available()) Add("GPUs", torch.cuda.device_count().ToString(CultureInfo.InvariantCulture));
        Add("torch threads, where no others are given", torch.get_num_threads().ToString(CultureInfo.InvariantCulture));
        Add("libtorch", string.Join(", ", [torch.__version__, .. Blas()]));
        Add(".NET", $"{Environment.Version}, {RuntimeInformation.RuntimeIdentifier}");
        Add("time for each measurement", $"{time.TotalSeconds.ToString(CultureInfo.InvariantCulture)} s, two rounds of warm-up before");
        return string.Concat(lines);

        void Add(string setting, string value) => lines.Add($"* {setting}: {value}\n");
    }

    private static string Processor() =>
        File.Exists("/proc/cpuinfo")
        && File.ReadLines("/proc/cpuinfo").FirstOrDefault(line => line.StartsWith("model name", StringComparison.Ordinal)) is { } line
            ? line[(line.IndexOf(':') + 1)..].Trim()
            : RuntimeInformation.ProcessArchitecture.ToString();

    /// <summary>The BLAS that libtorch has loaded, if it is a library of its own: its kind of threads matters.</summary>
    private static IEnumerable<string> Blas() =>
        File.Exists("/proc/self/maps")
            ? File.ReadLines("/proc/self/maps").Select(line => OpenBlas().Match(line)).Where(match => match.Success)
                .Select(match => $"OpenBLAS {match.Groups["version"].Value} ({match.Groups["threads"].Value})").Distinct()
            : [];


    [GeneratedRegex(@"openblas-(?<threads>[a-z]+)/libopenblasp?-r(?<version>[0-9.]+)\.so", RegexOptions.CultureInvariant)]
    private static partial Regex OpenBlas();
}
