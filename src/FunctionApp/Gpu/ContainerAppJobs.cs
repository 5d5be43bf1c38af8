using System.Globalization;
using Azure;
using FunctionsPipeline.Contracts;
using Microsoft.Extensions.Logging;

namespace FunctionsPipeline.FunctionApp.Gpu;

/// <summary>
/// Runs GPU jobs as executions of a Container Apps job (setting <see cref="GpuJobsOptions.JobId"/>). A job's name is that of its execution,
/// which is found again by the run and the attempt in its environment: executions carry no tags.
/// </summary>
internal sealed class ContainerAppJobs(
    ContainerAppsClient client, string jobId, TimeProvider time, ILogger<ContainerAppJobs> logger) : IGpuJobs
{
    /// <summary>Environment variable of an execution: its run.</summary>
    public const string Run = "RUN_ID";

    /// <summary>Environment variable of an execution: its attempt.</summary>
    public const string Attempt = "RUN_ATTEMPT";

    private const int MaxThrottled = 5;
    private static readonly TimeSpan DefaultRetryAfter = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan LongestRetryAfter = TimeSpan.FromMinutes(2);

    /// <summary>Time that an accepted start has to appear in the list of executions.</summary>
    internal TimeSpan ListPatience { get; init; } = TimeSpan.FromMinutes(2);

    /// <summary>Pause between two looks at the list of executions.</summary>
    internal TimeSpan ListPause { get; init; } = TimeSpan.FromSeconds(5);

    public async Task<string> StartAsync(string run, int attempt, CancellationToken cancellationToken)
    {
        try
        {
            return await FindOrStartAsync(run, attempt, cancellationToken);
        }
        catch (RequestFailedException e) when (e.Status is 400 or 403 or 404)
        {
            throw new PermanentFailureException(Describe(e), e);
        }
    }

    public async Task<GpuJobStatus> GetStatusAsync(string job, CancellationToken cancellationToken)
    {
        JobExecution? execution;
        try
        {
            execution = await client.GetExecutionAsync(job, cancellationToken);
        }
        catch (Exception e) when (!cancellationToken.IsCancellationRequested)
        {
            // An outage of Azure Resource Manager, or of what it authenticates with, ends no training: its heartbeats continue.
            Logs.JobUnreadable(logger, job, e.Message);
            return new GpuJobStatus(GpuJobState.Unknown);
        }
        return execution?.Properties switch
        {
            { Status: "Running" or "Processing" } => new GpuJobStatus(GpuJobState.Running),
            { Status: "Succeeded" } => new GpuJobStatus(GpuJobState.Exited, 0),
            { Status: "Failed" or "Degraded" or "Stopped" } ended =>
                new GpuJobStatus(GpuJobState.Exited, ExitCode(ended), Reason: Reason(ended)),
            _ => new GpuJobStatus(GpuJobState.Unknown),
        };
    }

    /// <summary>Stops the execution, and any other of the same run: a run has one training at a time.</summary>
    public async Task StopAsync(string job, CancellationToken cancellationToken)
    {
        await client.StopAsync(job, cancellationToken);
        Logs.JobStopped(logger, job);
        var executions = await client.ListAsync(cancellationToken).ToListAsync(cancellationToken);
        if (executions.Find(execution => execution.Name == job) is not { } stopped || Variable(stopped, Run) is not { } run) return;
        foreach (var other in executions.Where(other => other.Name != job && Variable(other, Run) == run && IsUnfinished(other)))
        {
            await client.StopAsync(other.Name, cancellationToken);
            Logs.JobStopped(logger, other.Name);
        }
    }

    private async Task<string> FindOrStartAsync(string run, int attempt, CancellationToken cancellationToken)
    {
        for (var throttled = 0; ; throttled++)
        {
            if (await FindAsync(run, attempt, cancellationToken) is { } earlier) return earlier.Name;
            var template = Template(await client.GetJobAsync(cancellationToken), run, attempt);
            string? name = null;
            Exception? open = null;
            try
            {
                name = await client.StartAsync(template, cancellationToken);
            }
            catch (RequestFailedException e) when (e.Status == 429 && throttled < MaxThrottled)
            {
                // Refused, not lost: another try starts no second execution.
                await Task.Delay(RetryAfter(e), time, cancellationToken);
                continue;
            }
            catch (Exception e) when (
                e is RequestFailedException { Status: 0 or 408 or >= 500 } or OperationCanceledException
                && !cancellationToken.IsCancellationRequested)
            {
                open = e;
            }
            if (name is null)
            {
                name = await AppearAsync(run, attempt, cancellationToken) ?? throw new IOException(
                    $"The execution of {run}, attempt {attempt}, does not appear in the list of {jobId}. {open?.Message}", open);
            }
            await CheckAsync(name, template, cancellationToken);
            Logs.ExecutionStarted(logger, name, jobId);
            return name;
        }
    }

    /// <summary>Finds the execution of a run's attempt, ended or not; the earliest where there are several.</summary>
    private async Task<JobExecution?> FindAsync(string run, int attempt, CancellationToken cancellationToken) =>
        await client.ListAsync(cancellationToken)
            .Where(execution => Variable(execution, Run) == run && Variable(execution, Attempt) == $"{attempt}")
            .OrderBy(execution => execution.Properties.StartTime)
            .FirstOrDefaultAsync(cancellationToken);

    /// <summary>Waits until the execution of a start without an answer appears in the list; null when it does not.</summary>
    private async Task<string?> AppearAsync(string run, int attempt, CancellationToken cancellationToken)
    {
        var started = time.GetTimestamp();
        while (true)
        {
            if (await FindAsync(run, attempt, cancellationToken) is { } execution) return execution.Name;
            if (time.GetElapsedTime(started) > ListPatience) return null;
            await Task.Delay(ListPause, time, cancellationToken);
        }
    }

    /// <summary>Stops an execution that runs another image than was asked for.</summary>
    private async Task CheckAsync(string name, ExecutionTemplate asked, CancellationToken cancellationToken)
    {
        // Seen after deployments: the service starts what the job's template was before.
        if ((await client.GetExecutionAsync(name, cancellationToken))?.Properties.Template?.Containers is not [var given, ..]) return;
        var image = asked.Containers![0].Image;
        if (given.Image == image) return;
        await client.StopAsync(name, cancellationToken);
        throw new PermanentFailureException(
            $"Container Apps started {name} with a stale template: its image is {given.Image} in place of {image}. It was stopped. "
            + "Start the run again in some minutes; if that repeats, deploy the job again.");
    }

    /// <summary>Copies the job's template and adds the run. A start replaces the template, so nothing may be left out.</summary>
    private ExecutionTemplate Template(ContainerAppsJob job, string run, int attempt)
    {
        if (job.Properties.Template is not { Containers: [var container, ..] containers } template)
            throw new PermanentFailureException($"The Container Apps job {jobId} has no container. Deploy it again.");
        EnvironmentVariable[] added =
        [
            new(Run, run),
            new(Attempt, $"{attempt}"),
            .. PipelineTracing.JobEnvironment().Select(variable => new EnvironmentVariable(variable.Key, variable.Value)),
        ];
        var kept = (container.Env ?? []).ExceptBy(added.Select(variable => variable.Name), variable => variable.Name);
        return template with
        {
            Containers = [container with { Args = ["train", "--run", run], Env = [.. kept, .. added] }, .. containers.Skip(1)],
        };
    }

    private static string? Variable(JobExecution execution, string name) =>
        execution.Properties.Template?.Containers is [{ Env: { } environment }, ..]
            ? environment.FirstOrDefault(variable => variable.Name == name)?.Value
            : null;

    private static bool IsUnfinished(JobExecution execution) =>
        execution.Properties.Status is not ("Succeeded" or "Failed" or "Degraded" or "Stopped");

    private static int? ExitCode(ExecutionProperties ended)
    {
        var codes = from replica in ended.DetailedStatus?.Replicas ?? []
                    from container in replica.Containers ?? []
                    select container.Code;
        var code = codes.LastOrDefault(code => code is not null);
        // The job's time limit ends in SIGKILL for a worker that could not leave a checkpoint in time.
        return ended.Reason == "DeadlineExceeded" && code != GpuJobExit.Preempted ? GpuJobExit.Killed : code;
    }

    private static string Reason(ExecutionProperties ended)
    {
        var containers = from replica in ended.DetailedStatus?.Replicas ?? []
                         from container in replica.Containers ?? []
                         select $"{container.Status} {container.AdditionalInformation}".Trim();
        string?[] parts = [ended.Status, ended.Reason, ended.Message, .. containers];
        return string.Join(", ", parts.Where(part => !string.IsNullOrWhiteSpace(part)));
    }

    private static TimeSpan RetryAfter(RequestFailedException throttled)
    {
        var seconds = throttled.GetRawResponse() is { } response && response.Headers.TryGetValue("Retry-After", out var header)
            && int.TryParse(header, CultureInfo.InvariantCulture, out var value) && value > 0
            ? TimeSpan.FromSeconds(value)
            : DefaultRetryAfter;
        return seconds < LongestRetryAfter ? seconds : LongestRetryAfter;
    }

    private string Describe(RequestFailedException refused)
    {
        var advice = refused.Status switch
        {
            403 => $"The app's identity needs the role Container Apps Jobs Operator on {jobId}; a new assignment takes some minutes.",
            404 => $"There is no Container Apps job {jobId} (setting GpuJobs:JobId), or the app's identity must not see it.",
            _ => "If this speaks of a quota or of capacity, ask for more of 'Managed Environment Consumption NCA100 Gpus' (or T4 Gpus) on "
                + "the Quota page of the Container Apps environment, or wait until other jobs have ended.",
        };
        var answer = refused.Message.Split('\n')[0].TrimEnd();
        return $"Container Apps refused the job ({refused.Status} {refused.ErrorCode}): {answer} {advice}";
    }
}
