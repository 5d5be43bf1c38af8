using System.CommandLine;

namespace FunctionsPipeline.Benchmarks;

/// <summary>The command line.</summary>
internal static class BenchmarkCommand
{
    // The peak of memory must be measured before others have made the process large, so weights are first.
    private static readonly IBenchmark[] All =
    [
        new WeightsBenchmark(), new ImageBenchmark(), new TokenizerBenchmark(), new ModelBenchmark(), new TinyTrainingBenchmark(),
        new GpuBenchmark(),
    ];

    /// <returns>The exit code.</returns>
    public static int Run(string[] arguments)
    {
        var names = new Argument<string[]>("name") { Description = "Measure only these; part of a name is enough." };
        var seconds = new Option<double>("--seconds")
        {
            Description = "How long each measurement goes on, at least five rounds.",
            DefaultValueFactory = _ => 8,
        };
        seconds.Validators.Add(result =>
        {
            if (!(result.GetValueOrDefault<double>() is > 0 and <= 600)) result.AddError("--seconds must be above 0 and at most 600.");
        });
        var write = new Option<bool>("--write") { Description = "Also write the report to tests/Benchmarks/results.md." };
        var list = string.Join("\n", All.Select(benchmark => $"  {benchmark.Name,-10} {benchmark.Description}"));
        var root = new RootCommand(
            $"""
            Measures on this machine and prints tables. Close other programs: they compete for the cores.

            {list}

            Exit codes: 0 done, also when something that needs what is not here went unmeasured; 1 something failed or left tensors behind.
            """)
        { names, seconds, write };
        root.Validators.Add(result =>
        {
            foreach (var name in result.GetValue(names) ?? [])
                if (!Chosen([name]).Any())
                    result.AddError($"There is no benchmark '{name}'; there are {string.Join(", ", All.Select(b => b.Name))}.");
            if (result.GetValue(write) && result.GetValue(names) is { Length: > 0 })
                result.AddError("--write is for the whole report: leave the names out.");
        });
        root.SetAction(parsed =>
        {
            var report = new Report(TimeSpan.FromSeconds(parsed.GetValue(seconds)), TimeProvider.System, Console.Out, Console.Error);
            var good = report.Run(Chosen(parsed.GetValue(names) ?? []));
            if (parsed.GetValue(write))
                File.WriteAllText(Path.Combine(Repository.Root, "tests", "Benchmarks", "results.md"), report.Markdown);
            return good ? 0 : 1;
        });
        return root.Parse(arguments).Invoke();
    }

    private static IEnumerable<IBenchmark> Chosen(string[] names) =>
        names.Length == 0
            ? All
            : All.Where(benchmark => names.Any(name => benchmark.Name.Contains(name, StringComparison.OrdinalIgnoreCase)));
}
