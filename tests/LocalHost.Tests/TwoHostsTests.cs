using FunctionsPipeline.Tests;

namespace FunctionsPipeline.LocalHost.Tests;

public sealed class TwoHostsTests(AzuriteFixture azurite) : IClassFixture<AzuriteFixture>
{
    [Fact]
    public async Task Two_hosts_share_the_activities_and_one_takes_over_the_orchestrations_of_the_other()
    {
        var first = await TinyAppHost.StartAsync(azurite.ConnectionString);
        await using var second = await TinyAppHost.StartAsync(azurite.ConnectionString);
        try
        {
            var instances = await Task.WhenAll(Enumerable.Range(0, 2).Select(number =>
                (number == 0 ? first : second).Client.StartAsync("FanOut", new { Activities = 20, Milliseconds = 300 })));
            var processes = new List<int>();
            foreach (var instance in instances) processes.AddRange((await second.Client.EndAsync(instance)).Result<int[]>());
            Assert.Equal(
                new[] { first.Host.WorkerProcessId, second.Host.WorkerProcessId }.Order(), processes.Distinct().Order());
        }
        finally
        {
            await first.DisposeAsync();
        }
        Assert.Equal("Hello Ada", (await second.Client.RunAsync("Hello", "Ada")).Result<string>());
        // With one owner, an orchestration is never run by both.
        Assert.DoesNotContain(first.Log.Concat(second.Log), line => line.Contains("Split brain", StringComparison.Ordinal));
    }
}
