using FunctionsPipeline.Contracts;
using FunctionsPipeline.Datasets;
using FunctionsPipeline.Datasets.Hub;
using FunctionsPipeline.FunctionApp.Activities;
using FunctionsPipeline.FunctionApp.Gpu;
using FunctionsPipeline.FunctionApp.Runs;
using FunctionsPipeline.Tests;

namespace FunctionsPipeline.FunctionApp.Tests;

public sealed class GpuJobActivitiesTests(AzuriteFixture azurite) : IClassFixture<AzuriteFixture>, IAsyncLifetime
{
    private readonly TrainingJob _job = Samples.Job with { Run = $"run-{Guid.NewGuid():N}"[..20] };
    private readonly FakeJobs _jobs = new();

    private RunDocumentStore Store => new(azurite.Blobs, TimeProvider.System);

    private GpuJobActivities Activities => ActivitiesOf(_jobs);

    private DatasetIngestion Datasets => new(new HubClient(new HttpClient(), new HubOptions()), azurite.Blobs);

    public async Task InitializeAsync()
    {
        foreach (var name in new[] { Containers.Runs, Containers.Datasets })
            await azurite.Blobs.GetBlobContainerClient(name).CreateIfNotExistsAsync();
        var shards = azurite.Blobs.GetBlobContainerClient(Containers.Datasets).GetBlobClient(Samples.Dataset.ShardList);
        await shards.UploadAsync(BinaryData.FromObjectAsJson(_job.Shards, PipelineJson.Options), overwrite: true);
    }

    public Task DisposeAsync() => Task.CompletedTask;

    [Fact]
    public async Task The_worker_finds_its_request_and_an_attempt_starts_once()
    {
        var name = await Activities.StartGpuJob(new StartGpuJobInput(_job with { Shards = [] }, Samples.Dataset, 1), default);
        Assert.Equal(name, await Activities.StartGpuJob(new StartGpuJobInput(_job with { Shards = [] }, Samples.Dataset, 1), default));
        Assert.Equal([1], _jobs.Started);
        await Activities.StartGpuJob(new StartGpuJobInput(_job, Samples.Dataset, 2), default);
        Assert.Equal([1, 2], _jobs.Started);

        var request = await azurite.Blobs.GetBlobContainerClient(Containers.Runs)
            .GetBlobClient($"{_job.Run}/request.json").DownloadContentAsync();
        var job = request.Value.Content.ToObjectFromJson<TrainingJob>(PipelineJson.Options)!;
        Assert.Equal(_job.BaseModel, job.BaseModel);
        Assert.Equal(_job.Shards, job.Shards);
    }

    [Fact]
    public async Task The_shards_of_corrections_follow_those_of_the_dataset()
    {
        var corrections = new DatasetBlobs("corrections", "5a4d", "v1");
        var shard = new ShardInfo(corrections.Shard(Splits.Validation, 0), Splits.Validation, 2, 200);
        await azurite.Blobs.GetBlobContainerClient(Containers.Datasets).GetBlobClient(corrections.ShardList)
            .UploadAsync(BinaryData.FromObjectAsJson(new[] { shard }, PipelineJson.Options), overwrite: true);
        await Activities.StartGpuJob(new StartGpuJobInput(_job with { Shards = [] }, Samples.Dataset, 1, corrections), default);
        var job = (await Store.JobAsync(_job.Run, default))!;
        Assert.Equal([.. _job.Shards, shard], job.Shards);
        // The dataset's only shard is one of training.
        Assert.Equal("corrections/5a4d/v1", job.ValidationViews);
    }

    [Fact]
    public async Task A_job_of_a_run_that_was_cancelled_meanwhile_is_stopped()
    {
        _jobs.OnStart = () => Store.MarkCancelledAsync(_job.Run, default);
        var name = await Activities.StartGpuJob(new StartGpuJobInput(_job with { Shards = [] }, Samples.Dataset, 1), default);
        Assert.Equal([name], _jobs.Stopped);
    }

    [Fact]
    public async Task An_activity_that_runs_twice_at_once_on_two_instances_starts_one_execution()
    {
        await using var arm = await FakeArm.StartAsync();
        arm.ListsBehind = 3;
        var input = new StartGpuJobInput(_job with { Shards = [] }, Samples.Dataset, 1);
        var names = await Task.WhenAll(Enumerable.Range(0, 3).Select(_ => ActivitiesOf(arm.Jobs()).StartGpuJob(input, default)));
        Assert.Equal(Assert.Single(arm.Executions).Name, Assert.Single(names.Distinct()));
    }

    [Fact]
    public async Task An_activity_that_dies_between_start_and_note_is_followed_by_one_that_finds_the_execution()
    {
        await using var arm = await FakeArm.StartAsync();
        var name = await arm.Jobs().StartAsync(_job.Run, 1, default);
        var input = new StartGpuJobInput(_job with { Shards = [] }, Samples.Dataset, 1);
        Assert.Equal(name, await ActivitiesOf(arm.Jobs()).StartGpuJob(input, default));
        Assert.Single(arm.Executions);
    }

    [Fact]
    public async Task An_execution_of_a_run_that_is_cancelled_during_its_start_is_stopped()
    {
        await using var arm = await FakeArm.StartAsync();
        (arm.AnswersLater, arm.ListsBehind) = (true, 2);
        arm.OnStart = _ => Store.MarkCancelledAsync(_job.Run, default).Wait();
        await ActivitiesOf(arm.Jobs()).StartGpuJob(new StartGpuJobInput(_job with { Shards = [] }, Samples.Dataset, 1), default);
        Assert.Equal("Stopped", Assert.Single(arm.Executions).Status);
    }

    [Fact]
    public async Task A_job_that_ends_by_itself_has_its_time_to_do_so()
    {
        var looks = 0;
        _jobs.OnStatus = () =>
        {
            if (++looks == 2) _jobs.State = GpuJobState.Exited;
            return Task.CompletedTask;
        };
        await Activities.StopGpuJob(new StopGpuJobInput("job", TimeSpan.FromMinutes(1)), default);
        Assert.Equal(2, looks);

        _jobs.State = GpuJobState.Running;
        await Activities.StopGpuJob(new StopGpuJobInput("other", TimeSpan.Zero), default);
        Assert.Equal(["job", "other"], _jobs.Stopped);
    }

    [Fact]
    public async Task A_result_that_is_written_while_the_job_ends_is_not_missed()
    {
        // The job writes its result and ends after its status was asked for.
        _jobs.OnStatus = () => WriteAsync("result.json", Samples.Succeeded with { Run = _job.Run });
        var reading = await Activities.ReadGpuJob(new ReadGpuJobInput(_job.Run, "job"), default);
        Assert.True(reading.Result!.Succeeded);
    }

    [Fact]
    public async Task Before_the_first_heartbeat_there_is_only_the_status()
    {
        var reading = await Activities.ReadGpuJob(new ReadGpuJobInput(_job.Run, "job"), default);
        Assert.Equal(new GpuJobReading(new GpuJobStatus(GpuJobState.Running), null, null), reading);
        await WriteAsync("heartbeat.json", new Heartbeat { Run = _job.Run, At = DateTimeOffset.UnixEpoch, Phase = "training", Loss = 1.5 });
        Assert.Equal(1.5, (await Activities.ReadGpuJob(new ReadGpuJobInput(_job.Run, "job"), default)).Heartbeat!.Loss);
    }

    [Fact]
    public async Task A_run_id_can_be_claimed_once_until_it_is_given_back()
    {
        Assert.True(await Store.ClaimAsync(_job.Run, Samples.Request, default));
        Assert.False(await Store.ClaimAsync(_job.Run, Samples.Request, default));
        await Store.UnclaimAsync(_job.Run);
        Assert.True(await Store.ClaimAsync(_job.Run, Samples.Request, default));
    }

    private async Task WriteAsync<T>(string name, T document) =>
        await azurite.Blobs.GetBlobContainerClient(Containers.Runs).GetBlobClient($"{_job.Run}/{name}")
            .UploadAsync(BinaryData.FromObjectAsJson(document, PipelineJson.Options));

    private GpuJobActivities ActivitiesOf(IGpuJobs jobs) => new(jobs, Store, Datasets, TimeProvider.System);

    private sealed class FakeJobs : IGpuJobs
    {
        public GpuJobState State { get; set; } = GpuJobState.Running;

        public List<int> Started { get; } = [];

        public List<string> Stopped { get; } = [];

        public Func<Task> OnStart { get; set; } = () => Task.CompletedTask;

        public Func<Task> OnStatus { get; set; } = () => Task.CompletedTask;

        public async Task<string> StartAsync(string run, int attempt, CancellationToken cancellationToken)
        {
            Started.Add(attempt);
            await OnStart();
            return $"{run}-{attempt}";
        }

        public async Task<GpuJobStatus> GetStatusAsync(string job, CancellationToken cancellationToken)
        {
            await OnStatus();
            return new GpuJobStatus(State);
        }

        public Task StopAsync(string job, CancellationToken cancellationToken)
        {
            Stopped.Add(job);
            return Task.CompletedTask;
        }
    }
}
