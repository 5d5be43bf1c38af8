using System.Runtime.InteropServices;
using System.Text.Json;
using Azure.Storage.Blobs;
using FunctionsPipeline.Contracts;

// Replaces the GPU worker in tests that are not about training. `train --run RUN` reads the run's request and writes its result at
// once; the validation loss is a hundredth of the request's seed. A run whose name starts with "endless", or whose seed is 1000
// or more, trains until SIGTERM; the first attempt of one that starts with "preempted" leaves a checkpoint.
if (args is not ["train", "--run", var run, .. [] or ["--cache", _]])
{
    await Console.Error.WriteLineAsync("usage: train --run RUN [--cache FOLDER]");
    return 2;
}
Console.WriteLine($"{PipelineTracing.TraceParent}={Environment.GetEnvironmentVariable(PipelineTracing.TraceParent)}");
var blobs = new BlobServiceClient(Environment.GetEnvironmentVariable("PipelineStorage"));
var names = new RunBlobs(run);
var request = await blobs.GetBlobContainerClient(Containers.Runs).GetBlobClient(names.Request).DownloadContentAsync();
var job = request.Value.Content.ToObjectFromJson<TrainingJob>(PipelineJson.Options)!;

var loss = job.Settings.Seed / 100.0;
var validation = new EvaluationMetrics { Loss = loss, Samples = 4 };
await WriteLinesAsync(
    new MetricsLine { Step = 0, Epoch = 0, Seconds = 0, Validation = new EvaluationMetrics { Loss = 90, Samples = 4 } },
    new MetricsLine { Step = 1, Epoch = 1, Seconds = 1, Validation = validation },
    new MetricsLine { Step = 2, Epoch = 2, Seconds = 1, Validation = validation },
    new MetricsLine { Step = 3, Epoch = 2, Seconds = 1, Loss = 1.25 });
await WriteAsync(Containers.Runs, names.Heartbeat, new Heartbeat
{
    Run = run,
    At = DateTimeOffset.UtcNow,
    Phase = Heartbeat.Training,
    Step = 3,
    Steps = 10,
    Loss = 1.25,
    ValidationLoss = loss,
});
if (run.StartsWith("endless", StringComparison.Ordinal) || job.Settings.Seed >= 1000)
{
    var asked = new TaskCompletionSource();
    using var termination = PosixSignalRegistration.Create(PosixSignal.SIGTERM, signal =>
    {
        signal.Cancel = true;
        asked.SetResult();
    });
    await asked.Task;
    Console.WriteLine("asked to stop");
    return 0;
}
if (run.StartsWith("preempted", StringComparison.Ordinal) && Environment.GetEnvironmentVariable("RUN_ATTEMPT") == "1") return 75;

await WriteAsync(Containers.Models, BlobNames.ModelComplete(job.OutputModel), new { });
await WriteAsync(Containers.Runs, names.Result, new TrainingResult
{
    Run = run,
    Succeeded = true,
    Model = job.OutputModel,
    TrainingSamples = job.Shards.Where(shard => shard.Split == "train").Sum(shard => shard.Samples),
    FineTuned = validation,
});
return 0;

async Task WriteAsync<T>(string container, string name, T document) =>
    await blobs.GetBlobContainerClient(container).GetBlobClient(name)
        .UploadAsync(BinaryData.FromObjectAsJson(document, PipelineJson.Compact), overwrite: true);

async Task WriteLinesAsync(params MetricsLine[] lines) =>
    await blobs.GetBlobContainerClient(Containers.Runs).GetBlobClient(names.Metrics)
        .UploadAsync(
            BinaryData.FromString(string.Concat(lines.Select(line => JsonSerializer.Serialize(line, PipelineJson.Compact) + "\n"))),
            overwrite: true);
