using System.Diagnostics;
using FunctionsPipeline.FunctionApp.Gpu;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;

namespace FunctionsPipeline.FunctionApp.Tests;

public sealed class LocalProcessGpuJobsTests : IAsyncLifetime, IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("gpu-jobs-").FullName;
    private readonly List<LocalProcessGpuJobs> _hosts = [];

    public Task InitializeAsync() => Task.CompletedTask;

    public Task DisposeAsync() => Task.WhenAll(_hosts.Select(host => host.StopAsync(default)));

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public async Task A_job_runs_the_worker_with_its_run_the_folder_for_downloads_and_the_storage_setting()
    {
        var jobs = Host("echo \"$@\"; echo \"storage: $PipelineStorage\" >&2");
        var job = await jobs.StartAsync("run-1", 1, default);
        var status = await UntilExitedAsync(jobs, job);
        Assert.Equal(0, status.ExitCode);
        Assert.Contains($"train --run run-1 --cache {_folder}/cache", status.LastOutput, StringComparison.Ordinal);
        Assert.Contains("storage: UseDevelopmentStorage=true", status.LastOutput, StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_last_lines_of_a_job_that_died_are_kept()
    {
        // The pause keeps the order: output and errors come through a pipe each.
        var jobs = Host("for i in $(seq 1 100); do echo line $i; done; sleep 0.5; echo out of memory >&2; exit 3");
        var status = await UntilExitedAsync(jobs, await jobs.StartAsync("run-1", 1, default));
        Assert.Equal(3, status.ExitCode);
        Assert.Contains("out of memory", status.LastOutput, StringComparison.Ordinal);
        Assert.Contains("line 100", status.LastOutput, StringComparison.Ordinal);
        Assert.DoesNotContain("line 1\n", status.LastOutput, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_running_job_is_not_started_twice_and_can_be_stopped()
    {
        var jobs = Host($"echo started >> '{_folder}/starts'; sleep 60");
        var job = await jobs.StartAsync("run-1", 1, default);
        await UntilAsync(() => File.Exists($"{_folder}/starts"));
        Assert.Equal(job, await jobs.StartAsync("run-1", 1, default));
        Assert.Equal(GpuJobState.Running, (await jobs.GetStatusAsync(job, default)).State);

        await jobs.StopAsync(job, default);
        Assert.Equal(GpuJobState.Exited, (await jobs.GetStatusAsync(job, default)).State);
        Assert.Single(File.ReadAllLines($"{_folder}/starts"));
    }

    [Fact]
    public async Task Another_attempt_is_another_job()
    {
        var jobs = Host("exit 1");
        Assert.NotEqual(await jobs.StartAsync("run-1", 1, default), await jobs.StartAsync("run-1", 2, default));
    }

    [Fact]
    public async Task Jobs_end_with_the_host_and_so_do_their_children()
    {
        var jobs = Host($"sleep 60 & echo $! > '{_folder}/child'; wait");
        await jobs.StartAsync("run-1", 1, default);
        await UntilAsync(() => File.Exists($"{_folder}/child") && File.ReadAllText($"{_folder}/child").EndsWith('\n'));
        var child = int.Parse(File.ReadAllText($"{_folder}/child"), System.Globalization.CultureInfo.InvariantCulture);
        await jobs.StopAsync(default);
        await UntilAsync(() => !IsAlive(child));
    }

    [Fact]
    public async Task A_job_that_is_stopped_is_asked_first_and_killed_when_it_takes_too_long()
    {
        var polite = Host("trap 'exit 75' TERM; echo ready; while true; do sleep 0.05; done");
        var job = await polite.StartAsync("run-1", 1, default);
        await UntilAsync(() => File.Exists($"{_folder}/run-1-1.log") && new FileInfo($"{_folder}/run-1-1.log").Length > 0);
        await polite.StopAsync(job, default);
        Assert.Equal(75, (await polite.GetStatusAsync(job, default)).ExitCode);

        var deaf = Host("trap '' TERM; echo ready; while true; do sleep 0.05; done");
        job = await deaf.StartAsync("run-2", 1, default);
        await UntilAsync(() => File.Exists($"{_folder}/run-2-1.log") && new FileInfo($"{_folder}/run-2-1.log").Length > 0);
        await deaf.StopAsync(job, default);
        Assert.Equal(137, (await deaf.GetStatusAsync(job, default)).ExitCode);
    }

    [Fact]
    public async Task A_job_that_outlived_its_host_is_found_watched_and_stopped_by_the_next_one()
    {
        var job = await Host("sleep 60").StartAsync("run-1", 1, default);
        var next = Host("exit 0");
        Assert.Equal(GpuJobState.Running, (await next.GetStatusAsync(job, default)).State);
        Assert.Equal(job, await next.StartAsync("run-1", 1, default));
        await next.StopAsync(job, default);
        Assert.Equal(GpuJobState.Exited, (await next.GetStatusAsync(job, default)).State);
    }

    [Fact]
    public async Task A_process_id_that_went_to_another_process_is_not_taken_for_the_job()
    {
        var self = Process.GetCurrentProcess();
        File.WriteAllText(Path.Combine(_folder, "run-1-1.pid"), $"{self.Id} {self.StartTime.ToUniversalTime().AddHours(-1):O}");
        Assert.Equal(GpuJobState.Exited, (await Host("exit 0").GetStatusAsync("run-1-1", default)).State);
    }

    [Fact]
    public async Task Nothing_is_known_of_a_job_that_was_never_started() =>
        Assert.Equal(GpuJobState.Unknown, (await Host("exit 0").GetStatusAsync("run-9-1", default)).State);

    [Fact]
    public async Task A_worker_that_cannot_be_started_is_a_permanent_failure_that_names_the_setting()
    {
        var failure = await Assert.ThrowsAsync<PermanentFailureException>(
            () => Host(null, "/nowhere/worker").StartAsync("run-1", 1, default));
        Assert.Contains("GpuWorker:Command", failure.Message, StringComparison.Ordinal);
        Assert.Contains("/nowhere/worker", failure.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Without_a_command_the_setting_is_named_before_a_run_and_by_the_job()
    {
        var jobs = Host(null);
        Assert.Contains("GpuWorker:Command", jobs.SetupProblem, StringComparison.Ordinal);
        var failure = await Assert.ThrowsAsync<PermanentFailureException>(() => jobs.StartAsync("run-1", 1, default));
        Assert.Equal(jobs.SetupProblem, failure.Message);
        Assert.Null(Host("exit 0").SetupProblem);
    }

    [Theory]
    [InlineData("dotnet /app/Worker.dll", "dotnet", "/app/Worker.dll")]
    [InlineData("\"/my apps/worker\"  --verbose", "/my apps/worker", "--verbose")]
    public void A_command_line_is_split_at_spaces_outside_quotes(string setting, string file, string argument)
    {
        var command = GpuWorkerCommand.Parse(setting)!;
        Assert.Equal(file, command.FileName);
        Assert.Equal([argument], command.Arguments);
    }

    [Theory]
    [InlineData(null)]
    [InlineData("  ")]
    [InlineData("\"\"")]
    public void A_command_line_that_names_nothing_is_none(string? setting) => Assert.Null(GpuWorkerCommand.Parse(setting));

    private LocalProcessGpuJobs Host(string? script, string? command = null)
    {
        if (script is not null)
        {
            var path = Path.Combine(_folder, $"worker-{_hosts.Count}.sh");
            File.WriteAllText(path, script);
            command = $"sh \"{path}\"";
        }
        var configuration = new ConfigurationBuilder()
            .AddInMemoryCollection(new Dictionary<string, string?> { ["PipelineStorage"] = "UseDevelopmentStorage=true" }).Build();
        var options = new PipelineOptions
        {
            GpuWorker = new GpuWorkerOptions { Command = command },
            GpuJobs = new GpuJobsOptions
            {
                LogFolder = _folder, CacheFolder = $"{_folder}/cache", StopTimeout = TimeSpan.FromSeconds(2),
            },
        };
        var host = new LocalProcessGpuJobs(configuration, Options.Create(options), NullLogger<LocalProcessGpuJobs>.Instance);
        _hosts.Add(host);
        return host;
    }

    private static async Task<GpuJobStatus> UntilExitedAsync(LocalProcessGpuJobs jobs, string job)
    {
        await UntilAsync(() => jobs.GetStatusAsync(job, default).Result.State == GpuJobState.Exited);
        return await jobs.GetStatusAsync(job, default);
    }

    private static async Task UntilAsync(Func<bool> condition)
    {
        var waited = Stopwatch.StartNew();
        while (!condition())
        {
            Assert.True(waited.Elapsed < TimeSpan.FromSeconds(20), "It took too long.");
            await Task.Delay(20);
        }
    }

    private static bool IsAlive(int process)
    {
        // A killed process whose new parent has not collected it yet is a zombie: state Z.
        var stat = $"/proc/{process}/stat";
        try
        {
            return File.ReadAllText(stat).Split(' ')[2] != "Z";
        }
        catch (IOException)
        {
            return false;
        }
    }
}

public sealed class JobFilesTests
{
    [Fact]
    public void A_process_that_ends_while_it_is_noted_is_one_that_no_longer_runs()
    {
        var folder = Directory.CreateTempSubdirectory("job-process-").FullName;
        try
        {
            using var started = Process.Start("sleep", "60");
            using var seenBefore = Process.GetProcessById(started.Id);
            started.Kill();
            started.WaitForExit();
            var files = new JobFiles(folder, "job-1");

            files.Remember(seenBefore);

            Assert.True(files.WasStarted);
            Assert.Null(files.Find());
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }
}
