using FunctionsPipeline.Contracts;
using FunctionsPipeline.FunctionApp.Activities;
using FunctionsPipeline.FunctionApp.Gpu;
using FunctionsPipeline.FunctionApp.Orchestration;

namespace FunctionsPipeline.FunctionApp.Tests;

public class GpuTrainingTests
{
    private static readonly GpuJobPolicy Policy = new(MaxRestarts: 2, MaxPreemptions: 3, HeartbeatTimeout: TimeSpan.FromMinutes(5));
    private static readonly GpuJobStatus Running = new(GpuJobState.Running);

    private readonly List<(string Message, Heartbeat? Heartbeat)> _reports = [];

    [Fact]
    public async Task A_job_is_watched_until_it_has_a_result()
    {
        var at = new DateTimeOffset(2026, 1, 1, 0, 0, 3, default);
        var heartbeat = new Heartbeat { Run = "run-1", At = at, Phase = "training", Step = 7 };
        var orchestration = Orchestration(
            new GpuJobReading(Running, null, null),
            new GpuJobReading(Running, null, heartbeat),
            new GpuJobReading(new GpuJobStatus(GpuJobState.Exited, 0), Samples.Succeeded, heartbeat));
        var result = await RunAsync(orchestration);
        Assert.Equal("run-1", result.Model);
        Assert.Equal(["StartGpuJob", "ReadGpuJob", "ReadGpuJob", "ReadGpuJob"], orchestration.Calls);
        Assert.Contains(_reports, report => report.Heartbeat is { Step: 7 });
    }

    [Fact]
    public async Task A_job_that_ended_without_a_result_is_started_again()
    {
        var orchestration = Orchestration(
            new GpuJobReading(new GpuJobStatus(GpuJobState.Exited, 137), null, null),
            new GpuJobReading(new GpuJobStatus(GpuJobState.Exited, 0), Samples.Succeeded, null));
        Assert.True((await RunAsync(orchestration)).Succeeded);
        Assert.Equal(2, orchestration.Calls.Count(call => call == "StartGpuJob"));
    }

    [Fact]
    public async Task A_job_that_is_lost_too_often_fails_the_run_with_its_last_output()
    {
        var orchestration = Orchestration(new GpuJobReading(new GpuJobStatus(GpuJobState.Exited, 137, "Killed"), null, null));
        var failure = await Assert.ThrowsAsync<RunFailedException>(() => RunAsync(orchestration));
        Assert.Contains("lost 3 times", failure.Message, StringComparison.Ordinal);
        Assert.Contains("exit code 137", failure.Message, StringComparison.Ordinal);
        Assert.Contains("Killed", failure.Message, StringComparison.Ordinal);
        Assert.Equal(3, orchestration.Calls.Count(call => call == "StartGpuJob"));
    }

    [Fact]
    public async Task A_preempted_job_goes_on_without_counting_as_lost()
    {
        var preempted = new GpuJobReading(new GpuJobStatus(GpuJobState.Exited, 75), null, null);
        var succeeded = new GpuJobReading(new GpuJobStatus(GpuJobState.Exited, 0), Samples.Succeeded, null);
        var orchestration = Orchestration(preempted, preempted, preempted, succeeded);
        Assert.True((await RunAsync(orchestration)).Succeeded);
        Assert.Equal(4, orchestration.Calls.Count(call => call == "StartGpuJob"));
        Assert.Contains(_reports, report => report.Message.Contains("checkpoint", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Where_no_exit_code_is_known_the_last_heartbeat_says_that_a_job_was_preempted()
    {
        var heartbeat = new Heartbeat { Run = "run-1", At = new DateTimeOffset(2026, 1, 1, 0, 0, 3, default), Phase = Heartbeat.Preempted };
        var gone = new GpuJobReading(new GpuJobStatus(GpuJobState.Unknown), null, heartbeat);
        var orchestration = Orchestration(gone, new GpuJobReading(new GpuJobStatus(GpuJobState.Exited, 0), Samples.Succeeded, null));
        Assert.True((await RunAsync(orchestration)).Succeeded);
        Assert.Equal([GpuJobPolicy.Pause(default), GpuJobPolicy.Pause(default)], orchestration.Timers);
    }

    [Fact]
    public async Task A_heartbeat_of_an_earlier_job_says_nothing_of_this_one()
    {
        var old = new Heartbeat { Run = "run-1", At = new DateTimeOffset(2020, 1, 1, 0, 0, 0, default), Phase = Heartbeat.Preempted };
        var orchestration = Orchestration(new GpuJobReading(new GpuJobStatus(GpuJobState.Exited, 137), null, old));
        var failure = await Assert.ThrowsAsync<RunFailedException>(() => RunAsync(orchestration));
        Assert.Contains("lost 3 times", failure.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_job_that_is_preempted_again_and_again_fails_the_run_in_the_end()
    {
        var failure = await Assert.ThrowsAsync<RunFailedException>(
            () => RunAsync(Orchestration(new GpuJobReading(new GpuJobStatus(GpuJobState.Exited, 75), null, null))));
        Assert.Contains("preempted 4 times", failure.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_training_that_failed_is_not_started_again()
    {
        var failed = new TrainingResult { Run = "run-1", Succeeded = false, Error = "the loss is not a number" };
        var orchestration = Orchestration(new GpuJobReading(new GpuJobStatus(GpuJobState.Exited, 1), failed, null));
        var failure = await Assert.ThrowsAsync<RunFailedException>(() => RunAsync(orchestration));
        Assert.Contains("the loss is not a number", failure.Message, StringComparison.Ordinal);
        Assert.Single(orchestration.Calls, call => call == "StartGpuJob");
    }

    [Fact]
    public async Task A_worker_that_was_called_wrongly_is_not_started_again()
    {
        var orchestration = Orchestration(new GpuJobReading(new GpuJobStatus(GpuJobState.Exited, 64, "Unrecognized command"), null, null));
        await Assert.ThrowsAsync<RunFailedException>(() => RunAsync(orchestration));
        Assert.Single(orchestration.Calls, call => call == "StartGpuJob");
    }

    [Fact]
    public async Task An_unknown_job_is_lost_only_after_it_was_silent_for_the_timeout()
    {
        var orchestration = Orchestration(new GpuJobReading(new GpuJobStatus(GpuJobState.Unknown), null, null));
        await Assert.ThrowsAsync<RunFailedException>(() => RunAsync(orchestration));
        var waited = orchestration.Timers.Aggregate(TimeSpan.Zero, (sum, pause) => sum + pause);
        Assert.InRange(waited, 3 * Policy.HeartbeatTimeout, 3 * Policy.HeartbeatTimeout + TimeSpan.FromMinutes(1));
    }

    [Fact]
    public async Task A_running_job_that_is_silent_is_left_alone_and_the_silence_is_reported()
    {
        var readings = Enumerable.Repeat(new GpuJobReading(Running, null, null), 200)
            .Append(new GpuJobReading(new GpuJobStatus(GpuJobState.Exited, 0), Samples.Succeeded, null)).ToArray();
        Assert.True((await RunAsync(Orchestration(readings))).Succeeded);
        Assert.Contains(_reports, report => report.Message.Contains("silent", StringComparison.Ordinal));
    }

    [Fact]
    public void A_job_of_ten_hours_is_looked_at_less_than_a_thousand_times()
    {
        var looks = 0;
        for (var running = TimeSpan.Zero; running < TimeSpan.FromHours(10); running += GpuJobPolicy.Pause(running)) looks++;
        Assert.InRange(looks, 100, 1000);
    }

    private Task<TrainingResult> RunAsync(FakeOrchestration orchestration) =>
        GpuTraining.RunAsync(
            orchestration, Samples.Job, Samples.Dataset, null, Policy, (message, heartbeat) => _reports.Add((message, heartbeat)));

    /// <summary>The readings in their order; the last one again and again.</summary>
    private static FakeOrchestration Orchestration(params GpuJobReading[] readings)
    {
        var next = 0;
        return new FakeOrchestration(Samples.Job)
            .On<StartGpuJobInput, string>("StartGpuJob", input => $"{input.Job.Run}-{input.Attempt}")
            .On<ReadGpuJobInput, GpuJobReading>("ReadGpuJob", _ => readings[Math.Min(next++, readings.Length - 1)]);
    }
}
