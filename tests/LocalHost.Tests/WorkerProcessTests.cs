using System.Diagnostics;
using FunctionsPipeline.Tests;

namespace FunctionsPipeline.LocalHost.Tests;

public sealed class WorkerProcessTests(AzuriteFixture azurite) : IClassFixture<AzuriteFixture>
{
    [Fact]
    public async Task A_worker_that_dies_is_replaced_and_nothing_is_lost()
    {
        await using var app = await TinyAppHost.StartAsync(azurite.ConnectionString);
        var killed = app.Host.WorkerProcessId;
        var steps = await app.Client.StartAsync("Steps", new { Activities = 6, Milliseconds = 200 });
        await app.Client.WaitAsync(steps, status => status.CustomStatus?.GetProperty("StepsDone").GetInt32() >= 2);
        using (var process = Process.GetProcessById(killed)) process.Kill();

        await TinyAppClient.UntilAsync(() => Task.FromResult(app.Host.WorkerProcessId != killed), "another worker");
        Assert.Equal("Hi Ada", await app.Client.Http.GetStringAsync("tiny/greet/Ada?greeting=Hi"));
        Assert.Equal(6, (await app.Client.EndAsync(steps)).Result<int>());
        Assert.Contains(app.Log, line => line.Contains("The worker ended (exit code 137", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(60_000)]
    public async Task A_worker_ends_with_its_host_even_when_it_is_busy(int milliseconds)
    {
        var app = await TinyAppHost.StartAsync(azurite.ConnectionString);
        var working = await app.Client.StartAsync("Steps", new { Activities = 1, Milliseconds = milliseconds });
        await app.Client.WaitAsync(working, status => status.CustomStatus is not null);
        using var worker = Process.GetProcessById(app.Host.WorkerProcessId);
        var started = Stopwatch.StartNew();
        await app.DisposeAsync();
        Assert.True(worker.HasExited);
        Assert.InRange(started.Elapsed, TimeSpan.Zero, TimeSpan.FromSeconds(10));
        Assert.DoesNotContain(app.Log, line => line.Contains("is killed", StringComparison.Ordinal));
    }
}
