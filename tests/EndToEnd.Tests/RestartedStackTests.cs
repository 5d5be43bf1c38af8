using System.Collections.Concurrent;
using FunctionsPipeline.LocalHost.Processes;

namespace FunctionsPipeline.EndToEnd.Tests;

/// <summary>The stack that <c>up</c> keeps running, whose processes are killed one after another.</summary>
public sealed class RestartedStackTests : IDisposable
{
    private static readonly TimeSpan Limit = TimeSpan.FromMinutes(8);

    private readonly string _folder = Directory.CreateTempSubdirectory("restarted-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public async Task What_is_killed_is_back_at_its_place_and_nothing_is_left_after_an_end_in_the_middle_of_a_start()
    {
        using var limit = new CancellationTokenSource(Limit);
        var said = new ConcurrentQueue<string>();
        using (var stop = CancellationTokenSource.CreateLinkedTokenSource(limit.Token))
        {
            await using var stack = await LocalStack.StartAsync(
                new LocalStackOptions { StateFolder = _folder, Rows = 100, HoldBack = 2 }, _ => { }, limit.Token);
            var keeping = stack.KeepRunningAsync(said.Enqueue, stop.Token);
            using var http = new HttpClient { BaseAddress = stack.Host };

            await KillAsync("GpuWorker", "serve", "worker");
            await KillAsync("SampleData", "hub", "hub");
            await KillAsync("LocalHost", "run", "host");
            await StackProcesses.Of(_folder).First(process => process.Words is ["node", ..]).KillAsync();
            await UntilAsync(() => said.Contains("azurite runs again"));
            using (var healthy = await http.GetAsync("api/health", limit.Token)) healthy.EnsureSuccessStatusCode();

            await (await StackProcesses.FindAsync(_folder, "LocalHost", "run", limit.Token)).KillAsync();
            await UntilAsync(() => said.Count(line => line.StartsWith("host ended with exit code 137", StringComparison.Ordinal)) == 2);
            await StackProcesses.FindAsync(_folder, "LocalHost", "run", limit.Token);
            await stop.CancelAsync();
            await Assert.ThrowsAnyAsync<OperationCanceledException>(() => keeping);
        }
        await UntilAsync(() => StackProcesses.Of(_folder).Count == 0);

        async Task KillAsync(string project, string command, string name)
        {
            await (await StackProcesses.FindAsync(_folder, project, command, limit.Token)).KillAsync();
            await UntilAsync(() => said.Contains($"{name} runs again"));
            Assert.Contains(said, line => line.StartsWith($"{name} ended with exit code 137", StringComparison.Ordinal));
        }

        async Task UntilAsync(Func<bool> holds)
        {
            while (!holds())
            {
                Assert.False(limit.IsCancellationRequested, string.Join('\n', said));
                await Task.Delay(50);
            }
        }
    }
}
