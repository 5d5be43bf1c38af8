using System.Text;
using System.Text.Json;
using FunctionsPipeline.Contracts;
using FunctionsPipeline.FineTuning.Tracking;

namespace FunctionsPipeline.FineTuning.Tests.Tracking;

public sealed class MetricsFileTests : IDisposable
{
    private readonly string _root = Directory.CreateTempSubdirectory("metrics-").FullName;
    private readonly LocalRunStore _store;

    public MetricsFileTests() => _store = new LocalRunStore(_root);

    public void Dispose() => Directory.Delete(_root, recursive: true);

    [Theory]
    [InlineData(2, new[] { 0, 1, 2, 2 })]
    [InlineData(9, new[] { 0, 1, 2, 2, 3 })]
    [InlineData(null, new int[0])]
    public async Task A_run_that_goes_on_from_a_step_finds_the_lines_up_to_it(int? step, int[] expected)
    {
        var file = new MetricsFile(_store, "r1");
        foreach (var at in new[] { 0, 1, 2, 2, 3 }) file.Record(Line(at));
        await file.FlushAsync(default);
        await _store.AppendAsync(Containers.Runs, "r1/metrics.jsonl", "{\"step\":1,\"ep"u8.ToArray(), default);

        await new MetricsFile(_store, "r1").CutAsync(step, default);
        Assert.Equal(expected, await StepsAsync());
        file.Record(Line(4));
        await file.FlushAsync(default);
        Assert.Equal([.. expected, 4], await StepsAsync());
    }

    [Fact]
    public async Task A_run_without_metrics_has_nothing_to_cut()
    {
        await new MetricsFile(_store, "r1").CutAsync(3, default);
        Assert.Empty(await StepsAsync());
    }

    [Fact]
    public async Task Lines_that_could_not_be_written_are_written_the_next_time_in_their_order()
    {
        var file = new MetricsFile(_store, "r1");
        file.Record(Line(1));
        var obstacle = Path.Combine(_root, "runs");
        File.WriteAllText(obstacle, "in the way");
        await Assert.ThrowsAnyAsync<IOException>(() => file.FlushAsync(default));
        File.Delete(obstacle);
        file.Record(Line(2));
        await file.FlushAsync(default);
        Assert.Equal([1, 2], await StepsAsync());
    }

    private static MetricsLine Line(int step) => new() { Step = step, Epoch = 0, Seconds = 0 };

    private async Task<IEnumerable<int>> StepsAsync()
    {
        var content = await _store.ReadAsync(Containers.Runs, "r1/metrics.jsonl", default) ?? [];
        return Encoding.UTF8.GetString(content).Split('\n', StringSplitOptions.RemoveEmptyEntries)
            .Select(line => JsonSerializer.Deserialize<MetricsLine>(line, PipelineJson.Compact)!.Step);
    }
}
