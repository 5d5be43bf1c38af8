using Microsoft.Azure.Functions.Worker;

namespace FunctionsPipeline.Tests.LocalHost.Functions;

/// <summary>Activities of the test orchestrations.</summary>
public sealed class Activities(Recorder recorder)
{
    [Function(nameof(Square))]
    public static int Square([ActivityTrigger] int number) => number * number;

    [Function(nameof(Note))]
    public async Task<string> Note([ActivityTrigger] string line, FunctionContext context)
    {
        await Task.Yield();
        recorder.Add(line);
        return $"{context.FunctionDefinition.Name}: {line}";
    }

    /// <summary>Fails as often as the test says.</summary>
    [Function(nameof(Flaky))]
    public void Flaky([ActivityTrigger] string line)
    {
        recorder.Add(line);
        if (recorder.Count(line) <= recorder.Failures) throw new InvalidDataException($"{line} is not ready");
    }

    /// <summary>Ends when the test opens the gate, or the host stops.</summary>
    [Function(nameof(Blocked))]
    public async Task Blocked([ActivityTrigger] string line, CancellationToken cancellation)
    {
        recorder.Add(line);
        await recorder.Gate.Task.WaitAsync(cancellation);
    }
}
