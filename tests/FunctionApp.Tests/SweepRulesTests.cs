using System.Text;
using System.Text.Json;
using FunctionsPipeline.Contracts;
using FunctionsPipeline.FunctionApp.Http;
using FunctionsPipeline.FunctionApp.Sweeps;

namespace FunctionsPipeline.FunctionApp.Tests;

public class SweepRulesTests
{
    private const string Run = """
        "run": {"dataset": {"repo": "samples/garments", "columns": {"image": "imageurl", "category": "category1_code"}}}
        """;

    [Theory]
    [InlineData("""{"learningRate": {"values": [1e-4, 2e-4]}, "method": {"values": ["full", "lora"]}, "packing": {"values": [true]}}""", 4)]
    [InlineData("""{"lora.targets": {"values": [["all-linear"], ["qkv_proj"]]}, "maxTokens": {"values": [null, 100]}}""", 4)]
    [InlineData("""{"visionTower.train": {"values": [true, false]}}""", 2)]
    public async Task A_grid_of_any_settings_is_fine(string space, int runs)
    {
        var request = await ReadRestAsync($"\"space\": {space}");
        Assert.Empty(SweepRules.Check(request));
        Assert.Equal(runs, SearchSpace.Choose(request).Count);
    }

    [Fact]
    public async Task A_grid_has_every_combination_with_the_last_setting_changing_fastest()
    {
        var request = await ReadRestAsync(
            """ "space": {"lora.rank": {"values": [8, 16]}, "learningRate": {"values": [1e-4, 2e-4]}}, "sweep": "lr" """);
        var plan = new SweepPlan(request, SearchSpace.Choose(request));
        Assert.Equal(
            [("lr.01", 8, 1e-4), ("lr.02", 8, 2e-4), ("lr.03", 16, 1e-4), ("lr.04", 16, 2e-4)],
            plan.RunRequests().Select(run => (run.Run!, run.Training.Lora.Rank, run.Training.LearningRate)));
        Assert.All(plan.RunRequests(), run => Assert.Equal(32, run.Training.Lora.Alpha));
    }

    [Fact]
    public async Task Random_runs_differ_keep_to_their_ranges_and_follow_the_seed()
    {
        const string Space = """
            {"learningRate": {"min": 1e-5, "max": 1e-3, "log": true}, "warmupSteps": {"min": 0, "max": 3},
             "weightDecay": {"min": 0, "max": 0.5}, "lora.rank": {"values": [8, 16]}}
            """;
        var request = await ReadRestAsync($"\"method\": \"random\", \"budget\": 100, \"space\": {Space}");
        Assert.Empty(SweepRules.Check(request));
        var drawn = SearchSpace.Choose(request);
        var runs = new SweepPlan(request with { Sweep = "s" }, drawn).RunRequests().Select(run => run.Training).ToList();
        Assert.Equal(100, drawn.Select(run => JsonSerializer.Serialize(run)).Distinct().Count());
        Assert.All(runs, run => Assert.InRange(run.LearningRate, 1e-5, 1e-3));
        // By orders of magnitude: about half of them below the square root of the bounds' product.
        Assert.InRange(runs.Count(run => run.LearningRate < 1e-4), 30, 70);
        Assert.Equal([0, 1, 2, 3], runs.Select(run => run.WarmupSteps).Distinct().Order());
        Assert.InRange(runs.Count(run => run.WeightDecay < 0.25), 30, 70);
        Assert.All(drawn, run => Assert.InRange(run["learningRate"].GetRawText().Length, 1, 8));
        Assert.Equal(Text(drawn), Text(SearchSpace.Choose(request)));
        Assert.NotEqual(Text(drawn), Text(SearchSpace.Choose(request with { Seed = 43 })));

        static string Text(object runs) => JsonSerializer.Serialize(runs);
    }

    [Fact]
    public async Task A_random_search_of_every_combination_ends()
    {
        var request = await ReadRestAsync(
            """ "method": "random", "budget": 100, "space": {"seed": {"min": 1, "max": 100, "log": true}} """);
        Assert.Empty(SweepRules.Check(request));
        Assert.Equal(Enumerable.Range(1, 100), SearchSpace.Choose(request).Select(run => run["seed"].GetInt32()).Order());
    }

    [Theory]
    [InlineData("\"space\": {}", "space", "at least one training setting")]
    [InlineData("\"space\": {\"learningrate\": {\"values\": [1]}}", "space.learningrate", "no training setting")]
    [InlineData("\"space\": {\"lora\": {\"values\": [{}]}}", "space.lora", "lora.rank")]
    [InlineData("\"space\": {\"learningRate\": {}}", "space.learningRate", "must have values")]
    [InlineData("\"space\": {\"learningRate\": {\"values\": []}}", "space.learningRate.values", "is empty")]
    [InlineData("\"space\": {\"seed\": {\"values\": [1, 2, 1]}}", "space.seed.values", "has 1 twice")]
    [InlineData("\"space\": {\"seed\": {\"values\": [1], \"max\": 3}}", "space.seed", "either values or")]
    [InlineData("\"space\": {\"batchSize\": {\"values\": [4, 2.5]}}", "space.batchSize.values[1]", "2.5, which batchSize cannot be")]
    [InlineData("\"space\": {\"schedule\": {\"values\": [\"steep\"]}}", "space.schedule.values[0]", "\"steep\", which schedule cannot be")]
    [InlineData("\"space\": {\"question\": {\"values\": [null]}}", "space.question.values[0]", "null, which question cannot be")]
    [InlineData("\"space\": {\"learningRate\": {\"values\": [0.1, 5]}}", "space.learningRate.values[1]", "is 5, must be above 0")]
    [InlineData("\"space\": {\"lora.targets\": {\"values\": [[]]}}", "space.lora.targets.values[0]", "at least one layer")]
    [InlineData("\"space\": {\"learningRate\": {\"min\": 1e-5, \"max\": 1e-3}}", "space.learningRate", "method random")]
    [InlineData("\"space\": {\"seed\": {\"values\": [1, 2]}}, \"budget\": 3", "budget", "has 2 combinations; lower it")]
    [InlineData("\"space\": {\"seed\": {\"values\": [1, 2]}}, \"budget\": 1", "budget", "leave it out to run all, or set method to random")]
    [InlineData("\"space\": {\"seed\": {\"values\": [1, 2]}}, \"budget\": 101", "budget", "from 1 to 100")]
    [InlineData("\"space\": {\"seed\": {\"values\": [1, 2]}}, \"method\": \"random\"", "budget", "must be given")]
    [InlineData("\"space\": {\"seed\": {\"min\": 1}}, \"method\": \"random\", \"budget\": 1", "space.seed", "both min and max")]
    [InlineData("\"space\": {\"seed\": {\"min\": 1, \"max\": 1}}, \"method\": \"random\", \"budget\": 1", "space.seed.max", "above min")]
    [InlineData("\"space\": {\"seed\": {\"min\": 0, \"max\": 9, \"log\": true}}, \"method\": \"random\", \"budget\": 1",
        "space.seed.min", "log")]
    [InlineData("\"space\": {\"seed\": {\"min\": -5, \"max\": 9}}, \"method\": \"random\", \"budget\": 1", "space.seed.min", "at least 0")]
    [InlineData("\"space\": {\"seed\": {\"min\": 0, \"max\": 1e11}}, \"method\": \"random\", \"budget\": 1", "space.seed.max", "cannot be")]
    [InlineData("\"space\": {\"seed\": {\"min\": 1, \"max\": 2}}, \"method\": \"random\", \"budget\": 3", "budget", "has 2 combinations")]
    [InlineData("\"space\": {\"method\": {\"min\": 1, \"max\": 2}}, \"method\": \"random\", \"budget\": 3", "space.method", "is no number")]
    [InlineData("\"space\": {\"seed\": {\"values\": [1]}}, \"parallelism\": 0", "parallelism", "from 1 to 100")]
    [InlineData("\"space\": {\"seed\": {\"values\": [1]}}, \"sweep\": \"A.b\"", "sweep", "36 lower-case letters")]
    [InlineData("\"space\": {\"seed\": {\"values\": [1]}}, \"pruning\": {\"minRuns\": 0}", "pruning.minRuns", "at least 1")]
    [InlineData("\"space\": {\"seed\": {\"values\": [1]}}, \"pruning\": {\"afterValidations\": -1}",
        "pruning.afterValidations", "at least 0")]
    public async Task A_mistake_is_reported_under_its_path_with_the_way_out(string members, string field, string remedy)
    {
        var error = Assert.Single(SweepRules.Check(await ReadRestAsync(members)));
        Assert.Equal(field, error.Field);
        Assert.StartsWith(field, error.Message, StringComparison.Ordinal);
        Assert.Contains(remedy, error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_grid_of_too_many_runs_is_refused()
    {
        var seeds = string.Join(", ", Enumerable.Range(0, 101));
        var error = Assert.Single(SweepRules.Check(await ReadRestAsync($$"""
            "space": {"seed": {"values": [{{seeds}}] } }
            """)));
        Assert.Equal("space", error.Field);
        Assert.Contains("set method to random and a budget", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Mistakes_in_the_run_keep_their_paths()
    {
        var request = await ReadAsync(
            """{"run": {"run": "mine", "dataset": {"repo": "no"}, "training": {"epochs": 0}}, "space": {"seed": {"values": [1]}}}""");
        Assert.Equal(["run.run", "run.dataset.repo", "run.training.epochs"], SweepRules.Check(request).Select(error => error.Field));
    }

    /// <summary>A sweep of a good run, with these other members.</summary>
    private static Task<SweepRequest> ReadRestAsync(string members) => ReadAsync($"{{ {Run}, {members} }}");

    private static Task<SweepRequest> ReadAsync(string body) =>
        RequestReader.ReadAsync<SweepRequest>(new MemoryStream(Encoding.UTF8.GetBytes(body)), "a sweep request", default);
}
