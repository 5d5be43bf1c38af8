using System.Diagnostics;
using System.Net;
using System.Net.Http.Headers;
using System.Text;
using FunctionsPipeline.FunctionApp.Gpu;

namespace FunctionsPipeline.FunctionApp.Tests;

public sealed class ContainerAppJobsTests : IAsyncLifetime
{
    private FakeArm _arm = null!;
    private ContainerAppJobs _jobs = null!;

    public async Task InitializeAsync()
    {
        _arm = await FakeArm.StartAsync();
        _jobs = _arm.Jobs();
    }

    public async Task DisposeAsync()
    {
        await _arm.DisposeAsync();
        Assert.Empty(_arm.Violations);
    }

    [Fact]
    public async Task An_execution_has_the_jobs_template_with_the_runs_arguments_and_environment()
    {
        var name = await _jobs.StartAsync("run-1", 1, default);
        var execution = Assert.Single(_arm.Executions);
        Assert.Equal(execution.Name, name);
        Assert.Equal(["train", "--run", "run-1"], execution.Args);
        var container = execution.Template["containers"]![0]!;
        Assert.Equal(FakeArm.Image, (string)container["image"]!);
        Assert.Equal(["dotnet", "worker.dll"], container["command"]!.AsArray().Select(part => (string)part!));
        Assert.Equal((24, "220Gi"), ((double)container["resources"]!["cpu"]!, (string)container["resources"]!["memory"]!));
        Assert.Equal("key", (string)container["env"]!.AsArray().Single(entry => (string)entry!["name"]! == "KEY")!["secretRef"]!);
        Assert.Equal("managedidentity", execution.Environment["PipelineStorage__credential"]);
        Assert.Equal(("run-1", "1"), (execution.Environment["RUN_ID"], execution.Environment["RUN_ATTEMPT"]));
        Assert.Equal("registry.azurecr.io/sidecar:v1", (string)execution.Template["containers"]![1]!["image"]!);
    }

    [Fact]
    public async Task An_execution_goes_on_with_the_trace_of_the_activity_that_starts_it()
    {
        using var activity = new Activity("StartGpuJob").SetIdFormat(ActivityIdFormat.W3C).Start();
        await _jobs.StartAsync("run-1", 1, default);
        Assert.Equal(activity.Id, Assert.Single(_arm.Executions).Environment["TRACEPARENT"]);
    }

    [Fact]
    public async Task An_attempt_is_started_once_by_whoever_asks()
    {
        var others = new List<string>();
        for (var run = 2; run < 6; run++) others.Add(await _jobs.StartAsync($"run-{run}", 1, default));
        var name = await _jobs.StartAsync("run-1", 1, default);
        _arm.Executions.Single(execution => execution.Name == name).Status = "Failed";

        Assert.Equal(name, await _arm.Jobs().StartAsync("run-1", 1, default));
        Assert.Equal(others[0], await _arm.Jobs().StartAsync("run-2", 1, default));
        Assert.NotEqual(name, await _arm.Jobs().StartAsync("run-1", 2, default));
        Assert.Equal(6, _arm.Executions.Count);
    }

    [Theory]
    [InlineData(null)]
    [InlineData(500)]
    [InlineData(504)]
    public async Task A_start_whose_answer_is_lost_is_found_and_not_repeated(int? status)
    {
        _arm.ListsBehind = 2;
        _arm.Fail("start", new Fault(status, IsCarriedOut: true));
        var name = await _jobs.StartAsync("run-1", 1, default);
        Assert.Equal(Assert.Single(_arm.Executions).Name, name);
        Assert.Equal(1, _arm.Requests["start"]);
    }

    [Theory]
    [InlineData(null)]
    [InlineData(503)]
    public async Task A_start_that_may_have_failed_is_left_to_the_next_activity(int? status)
    {
        _arm.Fail("start", new Fault(status));
        await Assert.ThrowsAsync<IOException>(() => _jobs.StartAsync("run-1", 1, default));
        Assert.Equal(1, _arm.Requests["start"]);
        var name = await _jobs.StartAsync("run-1", 1, default);
        Assert.Equal(Assert.Single(_arm.Executions).Name, name);
    }

    [Fact]
    public async Task The_name_of_a_start_that_was_accepted_for_later_comes_from_the_list()
    {
        (_arm.AnswersLater, _arm.ListsBehind) = (true, 3);
        Assert.Equal(await _jobs.StartAsync("run-1", 1, default), Assert.Single(_arm.Executions).Name);
    }

    [Fact]
    public async Task A_start_that_never_appears_in_the_list_is_no_permanent_failure()
    {
        (_arm.AnswersLater, _arm.ListsBehind) = (true, int.MaxValue);
        var failure = await Assert.ThrowsAsync<IOException>(() => _jobs.StartAsync("run-1", 1, default));
        Assert.Contains("run-1, attempt 1", failure.Message, StringComparison.Ordinal);
        // The activity's next try finds it.
        _arm.Executions[0].ListsBehind = 0;
        Assert.Equal(_arm.Executions[0].Name, await _jobs.StartAsync("run-1", 1, default));
        Assert.Single(_arm.Executions);
    }

    [Fact]
    public async Task A_throttled_start_waits_as_long_as_it_is_told()
    {
        _arm.Fail("start", new Fault(429, RetryAfter: 1));
        var waited = Stopwatch.StartNew();
        await _jobs.StartAsync("run-1", 1, default);
        Assert.InRange(waited.Elapsed, TimeSpan.FromSeconds(1), TimeSpan.FromSeconds(20));
        Assert.Equal(2, _arm.Requests["start"]);
        Assert.Single(_arm.Executions);
    }

    [Fact]
    public async Task Reads_are_repeated_when_they_are_throttled_or_fail()
    {
        _arm.Fail("list", new Fault(429, RetryAfter: 1));
        _arm.Fail("list", new Fault(503));
        _arm.Fail("job", new Fault(null));
        await _jobs.StartAsync("run-1", 1, default);
        Assert.Single(_arm.Executions);
    }

    [Theory]
    [InlineData("start", 400, "Managed Environment Consumption NCA100 Gpus")]
    [InlineData("start", 403, "Container Apps Jobs Operator")]
    [InlineData("start", 404, "GpuJobs:JobId")]
    [InlineData("job", 403, "Container Apps Jobs Operator")]
    [InlineData("list", 404, "GpuJobs:JobId")]
    public async Task A_refusal_is_permanent_and_names_the_way_out(string operation, int status, string told)
    {
        _arm.Fail(operation, new Fault(status, Message: "Azure's own words."));
        var failure = await Assert.ThrowsAsync<PermanentFailureException>(() => _jobs.StartAsync("run-1", 1, default));
        Assert.Contains(told, failure.Message, StringComparison.Ordinal);
        Assert.Contains("Azure's own words.", failure.Message, StringComparison.Ordinal);
        Assert.Empty(_arm.Executions);
    }

    [Fact]
    public async Task An_execution_of_a_stale_template_is_stopped()
    {
        _arm.StaleImage = "registry.azurecr.io/train:v1";
        var failure = await Assert.ThrowsAsync<PermanentFailureException>(() => _jobs.StartAsync("run-1", 1, default));
        Assert.Contains("train:v1", failure.Message, StringComparison.Ordinal);
        Assert.Equal("Stopped", Assert.Single(_arm.Executions).Status);
    }

    [Theory]
    [InlineData("Running", null, null, GpuJobState.Running, null)]
    [InlineData("Processing", null, null, GpuJobState.Running, null)]
    [InlineData("Succeeded", null, 0, GpuJobState.Exited, 0)]
    [InlineData("Succeeded", null, null, GpuJobState.Exited, 0)]
    [InlineData("Failed", "BackoffLimitExceeded", 75, GpuJobState.Exited, 75)]
    [InlineData("Failed", "BackoffLimitExceeded", null, GpuJobState.Exited, null)]
    [InlineData("Failed", "DeadlineExceeded", null, GpuJobState.Exited, 137)]
    [InlineData("Failed", "DeadlineExceeded", 143, GpuJobState.Exited, 137)]
    [InlineData("Failed", "DeadlineExceeded", 75, GpuJobState.Exited, 75)]
    [InlineData("Degraded", null, 1, GpuJobState.Exited, 1)]
    [InlineData("Stopped", null, 137, GpuJobState.Exited, 137)]
    [InlineData("Unknown", null, null, GpuJobState.Unknown, null)]
    [InlineData("Hibernating", null, null, GpuJobState.Unknown, null)]
    public async Task The_state_of_an_execution_is_that_of_its_job(
        string status, string? reason, int? code, GpuJobState state, int? exitCode)
    {
        var name = await _jobs.StartAsync("run-1", 1, default);
        var execution = _arm.Executions[0];
        (execution.Status, execution.Reason, execution.ExitCode, execution.Message) = (status, reason, code, "Words of the service.");
        var read = await _jobs.GetStatusAsync(name, default);
        Assert.Equal((state, exitCode), (read.State, read.ExitCode));
        if (state == GpuJobState.Exited && status != "Succeeded")
        {
            var said = string.Join(", ", new[] { status, reason, "Words of the service." }.OfType<string>());
            Assert.StartsWith(said, read.Reason, StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task An_execution_that_is_not_known_and_one_that_cannot_be_read_are_unknown()
    {
        Assert.Equal(GpuJobState.Unknown, (await _jobs.GetStatusAsync("train-vision-0", default)).State);
        var name = await _jobs.StartAsync("run-1", 1, default);
        for (var tries = 0; tries < 4; tries++) _arm.Fail("execution", new Fault(null));
        Assert.Equal(GpuJobState.Unknown, (await _jobs.GetStatusAsync(name, default)).State);
        _arm.Fail("execution", new Fault(403));
        Assert.Equal(GpuJobState.Unknown, (await _jobs.GetStatusAsync(name, default)).State);
        Assert.Equal(GpuJobState.Running, (await _jobs.GetStatusAsync(name, default)).State);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_stop_ends_every_execution_of_the_run_and_of_no_other(bool later)
    {
        var first = await _jobs.StartAsync("run-1", 1, default);
        var second = await _jobs.StartAsync("run-1", 2, default);
        var other = await _jobs.StartAsync("run-2", 1, default);
        _arm.AnswersLater = later;
        _arm.Fail("stop", new Fault(503));
        await _jobs.StopAsync(second, default);
        var states = _arm.Executions.ToDictionary(execution => execution.Name, execution => execution.Status);
        Assert.Equal(("Stopped", "Stopped", "Running"), (states[first], states[second], states[other]));
        await _jobs.StopAsync("train-vision-0", default);
    }

    [Theory]
    [InlineData("/start?api-version=2024-03-01", "{}")]
    [InlineData("/start", "{}")]
    [InlineData("/start?api-version=2026-07-01", """{"containers": []}""")]
    [InlineData("/start?api-version=2026-07-01", """{"properties": {}}""")]
    [InlineData("/start?api-version=2026-07-01", """{"containers": [{"image": 1}]}""")]
    [InlineData("/start?api-version=2026-07-01", """{"containers": [{"image": "i", "probes": []}]}""")]
    [InlineData("/start?api-version=2026-07-01", """{"containers": [{"env": {"A": "b"}}]}""")]
    [InlineData("/start?api-version=2026-07-01", """{"containers": [{"resources": {"ephemeralStorage": "8Gi"}}]}""")]
    [InlineData("/begin?api-version=2026-07-01", "{}")]
    public async Task The_fake_refuses_what_the_specification_does_not_have(string path, string body)
    {
        using var http = new HttpClient(_arm.Handler()) { BaseAddress = _arm.Url };
        http.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", FakeArm.Token);
        var answer = await http.PostAsync(FakeArm.JobId + path, new StringContent(body, Encoding.UTF8, "application/json"));
        Assert.Equal(HttpStatusCode.BadRequest, answer.StatusCode);
        Assert.Single(_arm.Violations);
        _arm.Violations.Clear();
    }
}
