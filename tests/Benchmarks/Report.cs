using System.Globalization;
using System.Runtime.InteropServices;
using System.Text;
using System.Text.Json;
using TorchSharp;

namespace FunctionsPipeline.Benchmarks;

/// <summary>Runs benchmarks and prints a section for each as it is done.</summary>
/// <param name="command">Command that writes the report.</param>
/// <param name="seconds">Time for each measurement.</param>
/// <param name="output">Receives the tables.</param>
/// <param name="progress">Receives the name of each step.</param>
internal sealed class Report(string command, TimeSpan seconds, TimeProvider time, TextWriter output, TextWriter progress)
{
    private readonly StringBuilder _markdown = new();

    /// <summary>Everything that was printed to the output.</summary>
    public string Markdown => _markdown.ToString();

    /// <summary>Runs the benchmarks.</summary>
    /// <returns>False when one failed, or left tensors behind.</returns>
    public bool Run(IEnumerable<IBenchmark> benchmarks)
    {
        Print($"# Benchmarks\n\nWritten by `{command}`.\n\n" + Machine.Markdown(time.GetLocalNow(), seconds));
        var meter = new Meter(seconds, progress);
        var good = true;
        foreach (var benchmark in benchmarks)
        {
            try
            {
                Print(benchmark.Title, benchmark.Measure(meter));
            }
            catch (NotMeasuredException e)
            {
                Print(benchmark.Title, new Section($"Skipped: {e.Message}."));
            }
            // A failure of one is reported and does not cost the others.
            catch (Exception e)
            {
                good = false;
                progress.WriteLine(e);
                Print(benchmark.Title, new Section($"Failed: {e.Message}"));
            }
        }
        if (meter.Tensors.Count > 0) Print("Memory", Memory(meter));
        return good && meter.Tensors.All(entry => entry.Before == entry.After);
    }

    private static Section Memory(Meter meter)
    {
        var table = new Table("work", "live tensors before", "after");
        foreach (var (work, before, after) in meter.Tensors) table.Add(work, $"{before}", $"{after}");
        return new Section("Tensors that live before and after all rounds of each measurement; they must be as many.", table);
    }

    private void Print(string title, Section section) =>
        Print($"## {title}\n\n{section.Text}\n{string.Concat(section.Tables.Select(table => $"\n{table.Markdown}"))}");

    private void Print(string markdown)
    {
        if (_markdown.Length > 0) markdown = '\n' + markdown;
        _markdown.Append(markdown);
        output.Write(markdown);
        output.Flush();
    }
}

/// <summary>The report of a group of measurements.</summary>
/// <param name="Text">Explains the measurements, in sentences.</param>
internal sealed record Section(string Text, params IReadOnlyList<Table> Tables);

/// <summary>A Markdown table that is also legible on a console: columns are padded, all but the first aligned to the right.</summary>
internal sealed class Table(params string[] columns)
{
    private readonly List<string[]> _rows = [];

    /// <summary>Adds a row with a cell for every column.</summary>
    public void Add(params string[] cells)
    {
        if (cells.Length != columns.Length)
            throw new ArgumentException($"{cells.Length} cells for {columns.Length} columns.", nameof(cells));
        _rows.Add(cells);
    }

    /// <summary>The table, a line a row.</summary>
    public string Markdown
    {
        get
        {
            var widths = columns.Select((column, i) => _rows.Select(row => row[i].Length).Append(column.Length).Append(3).Max()).ToArray();
            var text = new StringBuilder();
            Append(text, columns, widths);
            Append(text, [.. widths.Select((width, i) => i == 0 ? new string('-', width) : new string('-', width - 1) + ':')], widths);
            foreach (var row in _rows) Append(text, row, widths);
            return text.ToString();
        }
    }

    private static void Append(StringBuilder text, string[] cells, int[] widths)
    {
        for (var i = 0; i < cells.Length; i++)
            text.Append("| ").Append(i == 0 ? cells[i].PadRight(widths[i]) : cells[i].PadLeft(widths[i])).Append(' ');
        text.Append("|\n");
    }
}

/// <summary>Formats the cells of tables.</summary>
internal static class Cell
{
    /// <summary>Formats a number with three digits.</summary>
    public static string Number(double value) =>
        value.ToString(value < 10 ? "0.00" : value < 100 ? "0.0" : "0", CultureInfo.InvariantCulture);

    /// <summary>Formats a value as a multiple of another.</summary>
    public static string Times(double value, double of) => string.Create(CultureInfo.InvariantCulture, $"{value / of:0.00}×");

    /// <summary>Formats a rate in percent of its limit.</summary>
    public static string Share(double rate, double limit) => (rate / limit).ToString("P0", CultureInfo.InvariantCulture);

    /// <summary>Formats a number of threads.</summary>
    public static string Threads(int count) => count == 1 ? "1 thread" : $"{count} threads";
}

/// <summary>Describes the machine and the versions that the figures depend on.</summary>
internal static class Machine
{
    private static readonly string[] MeasuredPackages = ["TorchSharp", "SixLabors.ImageSharp", "SkiaSharp", "Parquet.Net"];
    private static readonly string[] VectorFlags = ["avx2", "avx512f", "avx512_bf16", "amx_bf16"];

    /// <summary>True when the processor has instructions for products of bf16.</summary>
    public static bool HasBf16 => Vectors().Any(flag => flag.EndsWith("bf16", StringComparison.Ordinal));

    /// <summary>Formats the description as Markdown.</summary>
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
