namespace FunctionsPipeline.FunctionApp.Runs;

/// <summary>The job of a run that was started last: <c>runs/{run}/job.json</c>.</summary>
/// <param name="Name">Its name, by which it is watched and stopped.</param>
/// <param name="Attempt">1 for the first start, more for restarts.</param>
public sealed record StartedJob(string Name, int Attempt, DateTimeOffset StartedAt);
