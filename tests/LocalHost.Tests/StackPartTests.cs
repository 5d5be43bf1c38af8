using System.Collections.Concurrent;
using System.Diagnostics;
using FunctionsPipeline.LocalHost.Processes;
using FunctionsPipeline.Tests;

namespace FunctionsPipeline.LocalHost.Tests;

public sealed class StackPartTests : IDisposable
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(30);

    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("stack-part-");
    private readonly ConcurrentQueue<string> _said = new();
    private readonly int _port = FreePort.Next();

    public void Dispose() => _folder.Delete(recursive: true);

    [Fact]
    public async Task A_process_that_is_killed_is_back_on_its_port_and_the_end_is_told_with_the_log()
    {
        ChildProcess? process = null;
        await using var part = new StackPart("server", _port, () => process = Start("server", Server()), TimeProvider.System);
        await part.StartAsync(CancellationToken.None);
        using var stop = new CancellationTokenSource();
        var keeping = part.KeepRunningAsync(_said.Enqueue, stop.Token);

        Signals.Send(process!.Id, Signals.Kill);
        await UntilAsync(() => _said.Count == 2);
        Assert.Equal(
            [$"server ended with exit code 137 and is started again in 0.5 s (its log: {process.LogFile})", "server runs again"], _said);
        Assert.True(await FreePort.AnswersAsync(_port, CancellationToken.None));

        await stop.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => keeping);
        var last = process.Id;
        await part.DisposeAsync();
        Assert.False(Directory.Exists($"/proc/{last}"));
    }

    [Fact]
    public async Task A_process_that_cannot_be_started_ten_times_in_a_row_is_given_up_with_the_reason()
    {
        var time = new ManualTimeProvider(DateTimeOffset.UnixEpoch);
        string[] command = Server();
        await using var part = new StackPart("server", _port, () => Start("server", command), time);
        await part.StartAsync(CancellationToken.None);
        var keeping = part.KeepRunningAsync(_said.Enqueue, CancellationToken.None);
        command = ["/bin/sh", "-c", "echo the disk is full; exit 3"];
        Signals.Send((await ListenerAsync()).Id, Signals.Kill);

        foreach (var seconds in new[] { 0.5, 1, 2, 4, 8, 16, 30, 30, 30, 30 })
        {
            var pause = TimeSpan.FromSeconds(seconds);
            await time.SleepingAsync(pause);
            time.Advance(pause);
        }
        var failure = await Assert.ThrowsAsync<InvalidOperationException>(() => keeping.WaitAsync(Limit));
        Assert.Contains("server could not be started 10 times in a row", failure.Message, StringComparison.Ordinal);
        Assert.Contains("exit code 3", failure.Message, StringComparison.Ordinal);
        Assert.Contains("the disk is full", failure.Message, StringComparison.Ordinal);
    }

    private ChildProcess Start(string name, string[] command) =>
        ChildProcess.Start(name, _folder.FullName, command, new Dictionary<string, string?> { [LocalStack.Mark] = _folder.FullName });

    private string[] Server() => ["node", "-e", $"require('net').createServer().listen({_port}, '127.0.0.1')"];

    private async Task<StackProcess> ListenerAsync()
    {
        StackProcess? found = null;
        await UntilAsync(() =>
            (found = StackProcesses.Of(_folder.FullName).FirstOrDefault(process => process.Words is ["node", ..])) is not null);
        return found!;
    }

    private static async Task UntilAsync(Func<bool> holds)
    {
        var clock = Stopwatch.StartNew();
        while (!holds())
        {
            Assert.True(clock.Elapsed < Limit);
            await Task.Delay(20);
        }
    }
}
