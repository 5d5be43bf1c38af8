using FunctionsPipeline.Contracts;
using FunctionsPipeline.FunctionApp.Runs;
using FunctionsPipeline.Tests;

namespace FunctionsPipeline.FunctionApp.Tests;

public sealed class RunIndexTests(AzuriteFixture azurite) : IClassFixture<AzuriteFixture>, IAsyncLifetime
{
    private static readonly DateTimeOffset Start = new(2026, 5, 1, 12, 0, 0, TimeSpan.Zero);

    private readonly RunIndex _index = new(azurite.Blobs);

    public async Task InitializeAsync()
    {
        await azurite.Blobs.GetBlobContainerClient(Containers.Runs).CreateIfNotExistsAsync();
        for (var day = 0; day < 5; day++) await _index.AddAsync($"run-{day}", Start.AddDays(day), default);
    }

    public async Task DisposeAsync() => await azurite.Blobs.GetBlobContainerClient(Containers.Runs).DeleteIfExistsAsync();

    [Fact]
    public async Task Runs_come_newest_first_in_pages()
    {
        Assert.Equal(["run-4", "run-3", "run-2", "run-1", "run-0"], await AllAsync(null, null, 2));
        Assert.Equal((await _index.ReadAsync(null, null, 2, null, default)).Ids, ["run-4", "run-3"]);
    }

    [Fact]
    public async Task Runs_of_a_span_of_time_are_found_and_older_ones_are_not_looked_at()
    {
        Assert.Equal(["run-3", "run-2", "run-1"], await AllAsync(Start.AddDays(1), Start.AddDays(3), 1));
        Assert.Null((await _index.ReadAsync(Start.AddDays(3.5), null, 2, null, default)).Continuation);
    }

    [Fact]
    public async Task A_run_that_was_taken_out_is_gone()
    {
        await _index.RemoveAsync("run-2", Start.AddDays(2));
        Assert.DoesNotContain("run-2", await AllAsync(null, null, 100));
    }

    [Fact]
    public async Task Before_the_containers_are_there_there_is_no_run()
    {
        await DisposeAsync();
        Assert.Empty(await AllAsync(null, null, 100));
    }

    private async Task<List<string>> AllAsync(DateTimeOffset? from, DateTimeOffset? to, int most)
    {
        var all = new List<string>();
        for (string? continuation = null; ;)
        {
            (var runs, continuation) = await _index.ReadAsync(from, to, most, continuation, default);
            all.AddRange(runs);
            if (continuation is null) return all;
        }
    }
}
