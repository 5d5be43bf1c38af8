namespace FunctionsPipeline.FunctionApp.Runs;

/// <summary>Last started job of a run: <c>runs/{run}/job.json</c>.</summary>
/// <param name="Name">The job's name, which identifies it when it is watched or stopped.</param>
/// <param name="Attempt">1 for the first start, higher for restarts.</param>
public sealed record StartedJob(string Name, int Attempt, DateTimeOffset StartedAt);
