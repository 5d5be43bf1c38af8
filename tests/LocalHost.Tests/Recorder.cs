using System.Collections.Concurrent;

namespace FunctionsPipeline.Tests.LocalHost;

/// <summary>What the functions of a test tell it, and what it tells them. Outlives the host, as a test that restarts it needs.</summary>
public sealed class Recorder
{
    private readonly ConcurrentQueue<string> _lines = new();

    public IReadOnlyList<string> Lines => [.. _lines];

    /// <summary>Tries that fail before one succeeds.</summary>
    public int Failures { get; set; }

    /// <summary>What a blocked activity waits for.</summary>
    public TaskCompletionSource Gate { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public void Add(string line) => _lines.Enqueue(line);

    public int Count(string line) => _lines.Count(l => l == line);

    public async Task WaitForAsync(string line)
    {
        for (var i = 0; i < 1000 && Count(line) == 0; i++) await Task.Delay(20);
        Assert.Contains(line, Lines);
    }
}
