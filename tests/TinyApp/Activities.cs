using System.Collections.Concurrent;
using System.Diagnostics;
using Microsoft.Azure.Functions.Worker;

namespace FunctionsPipeline.TinyApp;

/// <summary>Activities that the orchestrators call.</summary>
public static class Activities
{
    private static readonly ConcurrentDictionary<string, int> Attempts = new();

    [Function(nameof(SayHello))]
    public static string SayHello([ActivityTrigger] string name) => $"Hello {name}";

    [Function(nameof(Double))]
    public static Parcel Double([ActivityTrigger] Parcel parcel) => parcel with { Weight = parcel.Weight * 2 };

    /// <summary>Fails the given number of times per name, then succeeds.</summary>
    [Function(nameof(Flaky))]
    public static int Flaky([ActivityTrigger] Flakiness flakiness)
    {
        var attempt = Attempts.AddOrUpdate(flakiness.Name, 1, (_, attempts) => attempts + 1);
        return attempt > flakiness.Failures ? attempt : throw new HttpRequestException($"attempt {attempt} found nobody at home");
    }

    [Function(nameof(Hopeless))]
    public static void Hopeless([ActivityTrigger] string reason) =>
        throw new InvalidDataException(reason, new FormatException("a cause of its own"));

    /// <summary>Waits without observing cancellation, and returns the process id.</summary>
    [Function(nameof(Work))]
    public static async Task<int> Work([ActivityTrigger] int milliseconds)
    {
        await Task.Delay(milliseconds);
        return Environment.ProcessId;
    }

    /// <summary>Returns the trace context from the host and the current activity's id.</summary>
    [Function(nameof(Trace))]
    public static string[] Trace([ActivityTrigger] string input, FunctionContext context) =>
        [context.TraceContext.TraceParent, Activity.Current?.Id ?? "", input];

    public sealed record Parcel(string Name, double Weight, DateTimeOffset Sent, IReadOnlyList<string> Labels);

    public sealed record Flakiness(string Name, int Failures);
}
