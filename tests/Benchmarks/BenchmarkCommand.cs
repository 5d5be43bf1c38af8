using System.CommandLine;

namespace FunctionsPipeline.Benchmarks;

/// <summary>The command line.</summary>
internal static class BenchmarkCommand
{
    /// <summary>Command of a child process, run by <see cref="BenchmarkHub"/>.</summary>
    public const string Hub = "serve-hub";

    /// <summary>Command of a child process, run by <see cref="MeasuredIngestion"/>.</summary>
    public const string Ingest = "ingest";

    // The peak of memory must be measured before others have made the process large, so weights are first.
    private static readonly IBenchmark[] All =
    [
        new WeightsBenchmark(), new ImageBenchmark(), new TokenizerBenchmark(), new ModelBenchmark(), new TinyTrainingBenchmark(),
        new GpuBenchmark(), new ParquetBenchmark(), new PerceptualHashBenchmark(), new IngestionBenchmark(),
        new IngestionMemoryBenchmark(), new IngestionScaleBenchmark(),
        new HostBenchmark(), new ServeBenchmark(), new ServeUploadBenchmark(),
    ];

    /// <summary>The command line of this program, without arguments.</summary>
    public static IReadOnlyList<string> ThisProgram { get; } = ["dotnet", typeof(BenchmarkCommand).Assembly.Location];

    /// <summary>The same, with the app's settings of the garbage collector.</summary>
    public static IReadOnlyList<string> LikeTheApp { get; } =
    [
        "dotnet", "exec", "--runtimeconfig", Path.Combine(AppContext.BaseDirectory, "FunctionsPipeline.FunctionApp.runtimeconfig.json"),
        "--depsfile", Path.ChangeExtension(typeof(BenchmarkCommand).Assembly.Location, ".deps.json"),
        typeof(BenchmarkCommand).Assembly.Location,
    ];

    /// <returns>The exit code.</returns>
    public static int Run(string[] arguments)
    {
        var names = new Argument<string[]>("name") { Description = "Measure only these; part of a name is enough." };
        var seconds = new Option<double>("--seconds")
        {
            Description = "Duration of each measurement, at least five rounds.",
            DefaultValueFactory = _ => 8,
        };
        seconds.Validators.Add(result =>
        {
            if (!(result.GetValueOrDefault<double>() is > 0 and <= 600)) result.AddError("--seconds must be above 0 and at most 600.");
        });
        var write = new Option<bool>("--write")
        {
            Description = $"Also write the report to tests/Benchmarks: {ReportFile.Main.File}, " +
                $"with 'dataset' {ReportFile.Datasets.File}, with 'host' {ReportFile.Host.File}, with 'serve' {ReportFile.Serve.File}.",
        };
        var root = new RootCommand(
            $"""
            Measures on this machine and prints tables. Close other programs: they compete for the cores.

            {List(ReportFile.Main)}

            Only when they are named, as they take minutes ('dataset' is all of the first):

            {List(ReportFile.Datasets)}
            {List(ReportFile.Host)}
            {List(ReportFile.Serve)}

            Exit codes: 0 done, also when something that needs what is not here went unmeasured; 1 something failed or left tensors behind.
            """)
        { names, seconds, write, HubProcess(), IngestProcess() };
        root.Validators.Add(result =>
        {
            var chosen = result.GetValue(names) ?? [];
            foreach (var name in chosen)
            {
                if (!Chosen([name]).Any())
                    result.AddError($"There is no benchmark '{name}'; there are {string.Join(", ", All.Select(b => b.Name))}.");
            }
            if (result.GetValue(write) && WholeReport(Chosen(chosen)) is null)
                result.AddError("--write is for a whole report: leave the names out, or give 'dataset', 'host' or 'serve'.");
        });
        root.SetAction(parsed =>
        {
            IBenchmark[] chosen = [.. Chosen(parsed.GetValue(names) ?? [])];
            var whole = WholeReport(chosen);
            var report = new Report((whole ?? ReportFile.Main).Command, TimeSpan.FromSeconds(parsed.GetValue(seconds)), TimeProvider.System,
                Console.Out, Console.Error);
            var good = report.Run(chosen);
            if (parsed.GetValue(write)) File.WriteAllText(Path.Combine(Checkout.Root, "tests", "Benchmarks", whole!.File), report.Markdown);
            return good ? 0 : 1;
        });
        return root.Parse(arguments).Invoke();
    }

    private static string List(ReportFile report) =>
        string.Join("\n", All.Where(b => b.Report == report).Select(b => $"  {b.Name,-17} {b.Description}"));

    private static IEnumerable<IBenchmark> Chosen(string[] names) => All.Where(benchmark => names.Length == 0
        ? benchmark.Report == ReportFile.Main
        : names.Any(name => benchmark.Name.Contains(name, StringComparison.OrdinalIgnoreCase)));

    /// <summary>The report that these benchmarks, and no others, make.</summary>
    private static ReportFile? WholeReport(IEnumerable<IBenchmark> chosen) =>
        All.GroupBy(benchmark => benchmark.Report).FirstOrDefault(report => report.SequenceEqual(chosen))?.Key;

    private static Command HubProcess()
    {
        var (folder, port) = (new Argument<string>("folder"), new Argument<int>("port"));
        var command = new Command(Hub) { folder, port };
        command.Hidden = true;
        command.SetAction((parsed, _) => BenchmarkHub.ServeAsync(parsed.GetValue(folder)!, parsed.GetValue(port)));
        return command;
    }

    private static Command IngestProcess()
    {
        var task = new Argument<string>("task");
        var command = new Command(Ingest) { task };
        command.Hidden = true;
        command.SetAction((parsed, _) => MeasuredIngestion.RunAsync(parsed.GetValue(task)!));
        return command;
    }
}
