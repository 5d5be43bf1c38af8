using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Http.Json;
using System.Text;
using System.Text.Json.Nodes;
using FunctionsPipeline.Contracts;
using FunctionsPipeline.LocalHost;

namespace FunctionsPipeline.FunctionApp.Tests;

/// <summary>Runs whose GPU jobs are executions of a Container Apps job, which start the fake GPU worker.</summary>
public sealed class ContainerAppsRunTests(PipelineFixture pipeline) : IClassFixture<PipelineFixture>, IAsyncLifetime
{
    private readonly string _certificate = Path.GetTempFileName();
    private readonly List<Process> _processes = [];
    private FakeArm _arm = null!;
    private FunctionsHost _host = null!;
    private HttpClient _http = null!;

    public async Task InitializeAsync()
    {
        _arm = await FakeArm.StartAsync();
        _arm.WriteCertificate(_certificate);
        var environment = _arm.Job["properties"]!["template"]!["containers"]![0]!["env"]!.AsArray();
        environment.Add(new JsonObject { ["name"] = "PipelineStorage", ["value"] = pipeline.Azurite.ConnectionString });
        _arm.OnStart = Run;
        _arm.OnStop = execution => Kill(execution.Name);
        _host = await pipeline.StartAsync(new Dictionary<string, string?>
        {
            ["GpuJobs__JobId"] = FakeArm.JobId,
            ["GpuJobs__ArmEndpoint"] = _arm.Url.ToString(),
            ["GpuWorker__Command"] = "",
            ["PipelineStorage__credential"] = "managedidentity",
            ["IDENTITY_ENDPOINT"] = _arm.IdentityEndpoint.ToString(),
            ["IDENTITY_HEADER"] = "identity",
            ["SSL_CERT_FILE"] = _certificate,
            ["AzureFunctionsJobHost__extensions__durableTask__hubName"] = $"Cloud{Guid.NewGuid():N}"[..20],
        });
        _http = new HttpClient { BaseAddress = _host.Url };
    }

    public async Task DisposeAsync()
    {
        _http.Dispose();
        await _host.DisposeAsync();
        await _arm.DisposeAsync();
        foreach (var process in _processes) process.Dispose();
        File.Delete(_certificate);
        Assert.Empty(_arm.Violations);
    }

    [Fact]
    public async Task A_run_trains_in_an_execution_whose_start_is_answered_late_and_becomes_a_model()
    {
        (_arm.AnswersLater, _arm.ListsBehind) = (true, 1);
        var view = await EndAsync("cloud");
        Assert.Equal("Completed", view.RuntimeStatus);
        Assert.Equal("cloud", view.Outcome!.Result.Model);
        var execution = Assert.Single(_arm.Executions);
        Assert.Equal(("cloud", "1"), (execution.Environment["RUN_ID"], execution.Environment["RUN_ATTEMPT"]));
        Assert.Equal("Succeeded", execution.Status);
    }

    [Fact]
    public async Task A_preempted_execution_is_followed_by_one_of_the_next_attempt()
    {
        var view = await EndAsync("preempted-cloud");
        Assert.Equal("Completed", view.RuntimeStatus);
        Assert.Equal(
            [("Failed", "1"), ("Succeeded", "2")],
            _arm.Executions.Select(execution => (execution.Status, execution.Environment["RUN_ATTEMPT"]!)));
    }

    [Fact]
    public async Task An_execution_that_never_settles_is_stopped_once_the_result_is_there()
    {
        _arm.OnStart = execution => Run(execution, settles: false);
        var view = await EndAsync("unsettled");
        Assert.Equal("Completed", view.RuntimeStatus);
        Assert.Equal("Stopped", Assert.Single(_arm.Executions).Status);
    }

    [Fact]
    public async Task A_run_that_may_not_start_the_job_fails_and_names_the_role()
    {
        _arm.Fail("start", new Fault(403, Code: "AuthorizationFailed", Message: "The client does not have authorization."));
        var view = await EndAsync("forbidden");
        Assert.Equal("Failed", view.RuntimeStatus);
        Assert.Contains("Container Apps Jobs Operator", view.Error, StringComparison.Ordinal);
        Assert.Empty(_arm.Executions);
    }

    [Fact]
    public async Task A_cancelled_run_stops_its_execution()
    {
        await PostAsync("endless-cloud");
        await UntilAsync("endless-cloud", run => run.Status?.Training is not null);
        Assert.Equal(HttpStatusCode.Accepted, (await _http.PostAsync("/api/runs/endless-cloud/cancel", null)).StatusCode);
        await UntilAsync("endless-cloud", run => run.RuntimeStatus == "Terminated");
        Assert.Equal("Stopped", Assert.Single(_arm.Executions).Status);
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(20));
        await _processes[0].WaitForExitAsync(limit.Token);
    }

    private void Run(FakeExecution execution) => Run(execution, settles: true);

    private void Run(FakeExecution execution, bool settles)
    {
        var worker = Path.Combine(AppContext.BaseDirectory, "FunctionsPipeline.FakeGpuWorker.dll");
        var start = new ProcessStartInfo("dotnet", [worker, .. execution.Args]);
        foreach (var (name, value) in execution.Environment) start.Environment[name] = value;
        var process = new Process { StartInfo = start, EnableRaisingEvents = true };
        process.Exited += (_, _) =>
        {
            if (!settles || !execution.IsUnfinished) return;
            (execution.ExitCode, execution.Status) = (process.ExitCode, process.ExitCode == 0 ? "Succeeded" : "Failed");
        };
        _processes.Add(process);
        process.Start();
    }

    private void Kill(string execution)
    {
        var index = _arm.Executions.ToList().FindIndex(started => started.Name == execution);
        if (_processes[index] is not { HasExited: false } process) return;
        using var kill = Process.Start("sh", ["-c", string.Create(CultureInfo.InvariantCulture, $"kill -TERM {process.Id}")]);
        kill.WaitForExit();
    }

    private async Task<RunView> EndAsync(string run)
    {
        await PostAsync(run);
        return await UntilAsync(run, view => view.RuntimeStatus is not ("Pending" or "Running"));
    }

    private async Task PostAsync(string run)
    {
        var body = $$"""
            {"run": "{{run}}",
             "dataset": {"repo": "samples/garments", "columns": {"image": "imageurl", "title": "title"}, "validationFraction": 0.3},
             "baseModel": {"repo": "samples/tiny"}, "publish": false}
            """;
        var answer = await _http.PostAsync("/api/runs", new StringContent(body, Encoding.UTF8, "application/json"));
        Assert.True(answer.StatusCode == HttpStatusCode.Accepted, await answer.Content.ReadAsStringAsync());
    }

    private async Task<RunView> UntilAsync(string run, Func<RunView, bool> condition)
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromMinutes(2));
        while (true)
        {
            var view = (await _http.GetFromJsonAsync<RunView>($"/api/runs/{run}", PipelineJson.Options, limit.Token))!;
            if (condition(view)) return view;
            Assert.True(view.RuntimeStatus is "Pending" or "Running", $"{view.RuntimeStatus}: {view.Error}");
            await Task.Delay(100, limit.Token);
        }
    }
}
