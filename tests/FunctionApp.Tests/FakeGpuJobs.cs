using Azure.Storage.Blobs;
using FunctionsPipeline.Contracts;
using FunctionsPipeline.FunctionApp.Gpu;

namespace FunctionsPipeline.Tests.FunctionApp;

/// <summary>Jobs that do at once what the GPU worker does in time: they read a run's request and leave its result; or that never end.</summary>
internal sealed class FakeGpuJobs(BlobServiceClient blobs) : IGpuJobs
{
    private readonly HashSet<string> _stopped = [];

    /// <summary>Runs whose jobs run until they are stopped.</summary>
    public HashSet<string> Endless { get; } = [];

    public string? SetupProblem { get; set; }

    /// <summary>Validation loss of the runs that end.</summary>
    public double Loss { get; set; } = 0.5;

    public async Task<string> StartAsync(string run, int attempt, CancellationToken cancellation)
    {
        var request = await blobs.GetBlobContainerClient(Containers.Runs).GetBlobClient(new RunBlobs(run).Request).DownloadContentAsync(cancellation);
        var job = request.Value.Content.ToObjectFromJson<TrainingJob>(PipelineJson.Options)!;
        var heartbeat = new Heartbeat { Run = run, At = DateTimeOffset.UtcNow, Phase = "training", Step = 3, Steps = 10, Loss = 1.25 };
        await WriteAsync(Containers.Runs, new RunBlobs(run).Heartbeat, heartbeat);
        if (Endless.Contains(run)) return run;

        await WriteAsync(Containers.Runs, new RunBlobs(run).Metrics, new MetricsLine { Step = 3, Epoch = 1, Seconds = 1, Loss = 1.25 });
        await WriteAsync(Containers.Models, BlobNames.ModelComplete(job.OutputModel), new { });
        await WriteAsync(Containers.Runs, new RunBlobs(run).Result, new RunResult
        {
            Run = run,
            Succeeded = true,
            Model = job.OutputModel,
            TrainingSamples = job.Shards.Where(shard => shard.Split == "train").Sum(shard => shard.Samples),
            FineTuned = new EvaluationMetrics { Loss = Loss, Samples = 4 },
        });
        return run;
    }

    public Task<GpuJobStatus> GetStatusAsync(string job, CancellationToken cancellation) =>
        Task.FromResult(Endless.Contains(job) && !IsStopped(job) ? new GpuJobStatus(GpuJobState.Running) : new GpuJobStatus(GpuJobState.Exited, 0));

    public Task StopAsync(string job, CancellationToken cancellation)
    {
        lock (_stopped) _stopped.Add(job);
        return Task.CompletedTask;
    }

    public bool IsStopped(string job)
    {
        lock (_stopped) return _stopped.Contains(job);
    }

    private async Task WriteAsync<T>(string container, string name, T document) =>
        await blobs.GetBlobContainerClient(container).GetBlobClient(name)
            .UploadAsync(BinaryData.FromObjectAsJson(document, PipelineJson.Compact), overwrite: true);
}
