using System.Globalization;
using System.Text.Json;
using FunctionsPipeline.Contracts;

namespace FunctionsPipeline.FunctionApp.Sweeps;

/// <summary>An accepted sweep: its request, and the settings of each run.</summary>
/// <param name="Request">The request with the sweep's id and pinned commits.</param>
/// <param name="Runs">The chosen settings of each run, by their names in a run request.</param>
public sealed record SweepPlan(SweepRequest Request, IReadOnlyList<IReadOnlyDictionary<string, JsonElement>> Runs)
{
    /// <summary>Returns the request of each run.</summary>
    public IReadOnlyList<RunRequest> RunRequests() =>
        [.. Runs.Select((settings, number) => Request.Run with
        {
            Run = RunId(Request.Sweep!, number),
            Training = TrainingSetting.Apply(Request.Run.Training, settings),
        })];

    /// <summary>
    /// Returns the id of a sweep's run. The dot keeps it apart from ids of requests, so that the claim of the sweep's id claims all its
    /// runs.
    /// </summary>
    /// <param name="number">Number of the run, counted from 0.</param>
    public static string RunId(string sweep, int number) => string.Create(CultureInfo.InvariantCulture, $"{sweep}.{number + 1:D2}");

    /// <summary>Returns the id of the sweep that a run belongs to; null when it belongs to none.</summary>
    public static string? SweepOf(string run) => run.Split('.') is [var sweep, _] ? sweep : null;
}

/// <summary>A run's membership in a sweep.</summary>
/// <param name="Runs">Number of the sweep's runs.</param>
public sealed record SweepMember(string Sweep, int Runs, PruningSettings Pruning);
