using FunctionsPipeline.Contracts;
using FunctionsPipeline.FunctionApp.Activities;
using FunctionsPipeline.FunctionApp.Gpu;
using FunctionsPipeline.FunctionApp.Orchestration;
using FunctionsPipeline.FunctionApp.Sweeps;

namespace FunctionsPipeline.FunctionApp.Tests;

public class GpuTrainingTests
{
    private static readonly GpuJobPolicy Policy = new(
        MaxRestarts: 2, MaxPreemptions: 3, HeartbeatTimeout: TimeSpan.FromMinutes(5), SilenceTimeout: TimeSpan.FromHours(1));

    private static readonly GpuJobStatus Running = new(GpuJobState.Running);

    private readonly List<(string Message, Heartbeat? Heartbeat)> _reports = [];
    private readonly List<StopGpuJobInput> _stopped = [];

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
        Assert.InRange(Waited(orchestration), 3 * Policy.HeartbeatTimeout, 3 * Policy.HeartbeatTimeout + TimeSpan.FromMinutes(1));
    }

    [Fact]
    public async Task A_running_job_may_be_silent_for_as_long_as_a_large_image_is_pulled()
    {
        var readings = Enumerable.Repeat(new GpuJobReading(Running, null, null), 230)
            .Append(new GpuJobReading(new GpuJobStatus(GpuJobState.Exited, 0), Samples.Succeeded, null)).ToArray();
        var orchestration = Orchestration(readings);
        Assert.True((await RunAsync(orchestration)).Succeeded);
        Assert.InRange(Waited(orchestration), TimeSpan.FromMinutes(25), Policy.SilenceTimeout!.Value);
        Assert.Contains(_reports, report => report.Message.Contains("silent", StringComparison.Ordinal));
        Assert.Empty(_stopped);
    }

    [Fact]
    public async Task A_job_that_is_said_to_run_and_never_sends_a_heartbeat_is_stopped_and_started_again()
    {
        var orchestration = Orchestration(new GpuJobReading(Running, null, null));
        var failure = await Assert.ThrowsAsync<RunFailedException>(() => RunAsync(orchestration));
        Assert.Contains("GpuJobs:SilenceTimeout", failure.Message, StringComparison.Ordinal);
        Assert.InRange(Waited(orchestration), 3 * Policy.SilenceTimeout!.Value, 3 * Policy.SilenceTimeout.Value + TimeSpan.FromMinutes(5));
        Assert.Equal(["run-1-1", "run-1-2", "run-1-3"], _stopped.Select(stop => stop.Name));
        Assert.All(_stopped, stop => Assert.Equal(TimeSpan.Zero, stop.Grace));
    }

    [Fact]
    public async Task A_job_that_never_ends_is_stopped_when_its_result_is_there()
    {
        var result = await RunAsync(Orchestration(new GpuJobReading(Running, Samples.Succeeded, null)));
        Assert.True(result.Succeeded);
        Assert.Equal([new StopGpuJobInput("run-1-1", TimeSpan.FromMinutes(1))], _stopped);
    }

    [Fact]
    public async Task A_job_that_cannot_be_stopped_fails_no_run()
    {
        var orchestration = Orchestration(new GpuJobReading(Running, Samples.Succeeded, null));
        orchestration.On<StopGpuJobInput>("StopGpuJob", _ => throw new InvalidOperationException("no answer"));
        Assert.True((await RunAsync(orchestration)).Succeeded);
    }

    [Fact]
    public async Task A_preempted_job_that_never_ends_is_stopped_and_goes_on_without_counting_as_lost()
    {
        var readings = Enumerable.Repeat(new GpuJobReading(Running, null, Beat(4, Heartbeat.Preempted)), 150)
            .Append(new GpuJobReading(new GpuJobStatus(GpuJobState.Exited, 0), Samples.Succeeded, null)).ToArray();
        var orchestration = Orchestration(readings);
        Assert.True((await RunAsync(orchestration, Policy with { MaxRestarts = 0 })).Succeeded);
        Assert.Equal("run-1-1", Assert.Single(_stopped).Name);
        Assert.InRange(Waited(orchestration), Policy.HeartbeatTimeout, 2 * Policy.HeartbeatTimeout);
    }

    [Fact]
    public async Task A_killed_job_counts_as_preempted_as_long_as_each_comes_further_than_those_before()
    {
        static GpuJobReading Killed(int step) => new(new GpuJobStatus(GpuJobState.Exited, 137), null, Beat(step));
        var succeeded = new GpuJobReading(new GpuJobStatus(GpuJobState.Exited, 0), Samples.Succeeded, null);
        Assert.True((await RunAsync(Orchestration(Killed(5), Killed(9), succeeded), Policy with { MaxRestarts = 0 })).Succeeded);

        var failure = await Assert.ThrowsAsync<RunFailedException>(
            () => RunAsync(Orchestration(Killed(5), Killed(5)), Policy with { MaxRestarts = 1 }));
        Assert.Contains("lost 2 times", failure.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_job_that_met_another_worker_of_its_run_lets_that_one_train()
    {
        // 69: another worker held the lease on the run.
        var busy = new GpuJobStatus(GpuJobState.Exited, 69);
        var orchestration = Orchestration(
            new GpuJobReading(busy, null, Beat(4)), new GpuJobReading(busy, null, Beat(8)),
            new GpuJobReading(busy, Samples.Succeeded, Beat(9)));
        Assert.True((await RunAsync(orchestration)).Succeeded);
        Assert.Single(orchestration.Calls, call => call == "StartGpuJob");
        Assert.Single(_stopped);

        var failure = await Assert.ThrowsAsync<RunFailedException>(() => RunAsync(Orchestration(new GpuJobReading(busy, null, null))));
        Assert.Contains("exit code 69", failure.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_outage_of_the_service_during_a_pull_is_not_taken_for_a_loss()
    {
        var unknown = new GpuJobReading(new GpuJobStatus(GpuJobState.Unknown), null, null);
        var readings = Enumerable.Repeat(new GpuJobReading(Running, null, null), 200).Append(unknown)
            .Append(new GpuJobReading(new GpuJobStatus(GpuJobState.Exited, 0), Samples.Succeeded, null)).ToArray();
        var orchestration = Orchestration(readings);
        Assert.True((await RunAsync(orchestration)).Succeeded);
        Assert.Single(orchestration.Calls, call => call == "StartGpuJob");
    }

    [Fact]
    public async Task A_run_of_a_sweep_is_judged_once_after_each_validation_and_ends_when_it_is_pruned()
    {
        var pruned = new PrunedTraining("it was worse", 20, 2);
        var judged = new List<double>();
        PruneRunInput? stopped = null;
        var orchestration = Orchestration(
            Reading("evaluating-base", 5), Reading(Heartbeat.Training, 5), Reading(Heartbeat.Training, 3),
            Reading(Heartbeat.Training, 3), Reading(Heartbeat.Training, 3), Reading(Heartbeat.Training, 2))
            .On<JudgeRunInput, Verdict>("JudgeRun", input =>
            {
                judged.Add(input.Loss);
                // At first the metrics of the second validation are not in storage yet.
                return new Verdict(judged.Count != 2, input.Loss == 2 ? pruned : null);
            })
            .On<PruneRunInput, TrainingResult>("PruneRun", input =>
            {
                stopped = input;
                return new TrainingResult { Run = input.Run, Succeeded = false, Pruned = input.Pruned };
            });
        var result = await RunAsync(orchestration, sweep: new SweepMember("lr", 4, new PruningSettings()));
        Assert.Equal([5, 3, 3, 2], judged);
        Assert.Equal(new PruneRunInput("run-1", "run-1-1", pruned), stopped);
        Assert.Equal(pruned, result.Pruned);
        Assert.Single(orchestration.Calls, call => call == "StartGpuJob");
    }

    [Fact]
    public async Task A_run_that_ended_before_it_could_be_pruned_keeps_its_result()
    {
        var orchestration = Orchestration(Reading(Heartbeat.Training, 5))
            .On<JudgeRunInput, Verdict>("JudgeRun", _ => new Verdict(true, new PrunedTraining("it was worse", 20, 5)))
            .On<PruneRunInput, TrainingResult>("PruneRun", _ => Samples.Succeeded);
        Assert.True((await RunAsync(orchestration, sweep: new SweepMember("lr", 4, new PruningSettings()))).Succeeded);
    }

    [Fact]
    public async Task Without_a_sweep_or_a_rule_no_run_is_judged()
    {
        var none = new SweepMember("lr", 4, new PruningSettings { Rule = PruningRule.None });
        foreach (var sweep in new[] { null, none })
        {
            var orchestration = Orchestration(
                Reading(Heartbeat.Training, 5), new GpuJobReading(new GpuJobStatus(GpuJobState.Exited, 0), Samples.Succeeded, null));
            Assert.True((await RunAsync(orchestration, sweep: sweep)).Succeeded);
            Assert.DoesNotContain("JudgeRun", orchestration.Calls);
        }
    }

    [Fact]
    public void A_job_of_ten_hours_is_looked_at_less_than_a_thousand_times()
    {
        var looks = 0;
        for (var running = TimeSpan.Zero; running < TimeSpan.FromHours(10); running += GpuJobPolicy.Pause(running)) looks++;
        Assert.InRange(looks, 100, 1000);
    }

    private static GpuJobReading Reading(string phase, double validationLoss) => new(Running, null, new Heartbeat
    {
        Run = "run-1",
        At = DateTimeOffset.UnixEpoch,
        Phase = phase,
        ValidationLoss = validationLoss,
    });

    private static TimeSpan Waited(FakeOrchestration orchestration) =>
        orchestration.Timers.Aggregate(TimeSpan.Zero, (sum, pause) => sum + pause);

    // Always newer than the start of any job.
    private static Heartbeat Beat(int step, string phase = "training") =>
        new() { Run = "run-1", At = new DateTimeOffset(2026, 1, 1, 0, 0, 5, default), Phase = phase, Step = step };

    private Task<TrainingResult> RunAsync(
        FakeOrchestration orchestration, GpuJobPolicy? policy = null, SweepMember? sweep = null) =>
        GpuTraining.RunAsync(
            orchestration, Samples.Job, Samples.Dataset, null, policy ?? Policy,
            (message, heartbeat) => _reports.Add((message, heartbeat)), sweep);

    /// <summary>The readings in their order; the last one again and again.</summary>
    private FakeOrchestration Orchestration(params GpuJobReading[] readings)
    {
        var next = 0;
        return new FakeOrchestration(Samples.Job)
            .On<StartGpuJobInput, string>("StartGpuJob", input => $"{input.Job.Run}-{input.Attempt}")
            .On<StopGpuJobInput>("StopGpuJob", _stopped.Add)
            .On<ReadGpuJobInput, GpuJobReading>("ReadGpuJob", _ => readings[Math.Min(next++, readings.Length - 1)]);
    }
}
