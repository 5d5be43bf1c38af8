using System.Text;

namespace FunctionsPipeline.Benchmarks;

/// <summary>Runs benchmarks and prints a section for each as it is done.</summary>
/// <param name="command">What writes it.</param>
/// <param name="seconds">How long each measurement goes on.</param>
/// <param name="output">For the tables.</param>
/// <param name="progress">For what is being done.</param>
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
