using System.Globalization;
using System.Text.Json;
using Azure;
using Azure.Storage.Blobs;
using Azure.Storage.Blobs.Models;
using FunctionsPipeline.Contracts;
using FunctionsPipeline.Datasets.Storage;
using FunctionsPipeline.FunctionApp.Storage;
using FunctionsPipeline.FunctionApp.Sweeps;
using FunctionsPipeline.Shared;

namespace FunctionsPipeline.FunctionApp.Runs;

/// <summary>Reads and writes the documents of runs in blob storage.</summary>
public sealed class RunDocumentStore(BlobServiceClient blobs, TimeProvider time)
{
    // Container Apps may take minutes to show an execution that it has accepted.
    private static readonly TimeSpan StartPatience = TimeSpan.FromMinutes(10);

    // Some two hundred lines.
    private const long MetricsTail = 64 * 1024;

    // Bounds the time of one request for a page when few answers pass.
    private const long MostAnswerBytes = 4 * 1024 * 1024;

    /// <summary>Claims the id of a run or a sweep by creating its request document. False when the id is taken.</summary>
    public Task<bool> ClaimAsync<T>(string id, T request, CancellationToken cancellationToken) =>
        Blob(new RunBlobs(id).Accepted).WriteJsonAsync(request, JsonBlobs.New, cancellationToken);

    /// <summary>Releases a claimed id when the run or sweep could not be started.</summary>
    public Task UnclaimAsync(string id) => Blob(new RunBlobs(id).Accepted).DeleteIfExistsAsync();

    /// <summary>Reads the request document of a run or a sweep; null when there is none.</summary>
    public async Task<T?> AcceptedAsync<T>(string id, CancellationToken cancellationToken)
        where T : class => (await Blob(new RunBlobs(id).Accepted).ReadJsonAsync<T>(cancellationToken))?.Document;

    /// <summary>Writes the job's request, which the GPU worker reads.</summary>
    public Task WriteJobAsync(TrainingJob job, CancellationToken cancellationToken) =>
        Blob(new RunBlobs(job.Run).Request).WriteJsonAsync(job, null, cancellationToken);

    /// <summary>Reads the job's request; null when no job was started.</summary>
    public async Task<TrainingJob?> JobAsync(string run, CancellationToken cancellationToken) =>
        (await Blob(new RunBlobs(run).Request).ReadJsonAsync<TrainingJob>(cancellationToken))?.Document;

    /// <summary>Waits for the lock under which a run's jobs are started.</summary>
    /// <exception cref="TimeoutException">Another instance holds it for too long.</exception>
    internal async Task<IAsyncDisposable> LockStartAsync(string run, CancellationToken cancellationToken) =>
        await BlobLock.AcquireAsync(Blob(new RunBlobs(run).StartLock), StartPatience, time, cancellationToken)
            ?? throw new TimeoutException($"Another instance of the app has been starting a job of {run} for {StartPatience}.");

    /// <summary>Stores the started job.</summary>
    public Task RememberAsync(string run, StartedJob job, CancellationToken cancellationToken) =>
        Blob(new RunBlobs(run).Job).WriteJsonAsync(job, null, cancellationToken);

    /// <summary>Reads the job that was started last; null when there is none.</summary>
    public async Task<StartedJob?> StartedAsync(string run, CancellationToken cancellationToken) =>
        (await Blob(new RunBlobs(run).Job).ReadJsonAsync<StartedJob>(cancellationToken))?.Document;

    /// <summary>Marks the run as cancelled.</summary>
    public Task MarkCancelledAsync(string run, CancellationToken cancellationToken) =>
        Blob(new RunBlobs(run).Cancelled).WriteJsonAsync(new Cancellation(time.GetUtcNow()), null, cancellationToken);

    public async Task<bool> IsCancelledAsync(string run, CancellationToken cancellationToken) =>
        (await Blob(new RunBlobs(run).Cancelled).ExistsAsync(cancellationToken)).Value;

    public async Task<Heartbeat?> HeartbeatAsync(string run, CancellationToken cancellationToken) =>
        (await Blob(new RunBlobs(run).Heartbeat).ReadJsonAsync<Heartbeat>(cancellationToken))?.Document;

    public async Task<TrainingResult?> ResultAsync(string run, CancellationToken cancellationToken) =>
        (await Blob(new RunBlobs(run).Result).ReadJsonAsync<TrainingResult>(cancellationToken))?.Document;

    /// <summary>Writes the result of a run unless there is one.</summary>
    /// <returns>The result in storage.</returns>
    public async Task<TrainingResult> EnsureResultAsync(TrainingResult result, CancellationToken cancellationToken)
    {
        var isNew = await Blob(new RunBlobs(result.Run).Result).WriteJsonAsync(result, JsonBlobs.New, cancellationToken);
        return isNew ? result : (await ResultAsync(result.Run, cancellationToken))!;
    }

    /// <summary>Reads a run's validations of the training in the order of their steps, without that of the base model.</summary>
    public async Task<IReadOnlyList<Validation>> ValidationsAsync(string run, CancellationToken cancellationToken)
    {
        var validations = new List<Validation>();
        if (await VersionAsync(new RunBlobs(run).Metrics, cancellationToken) is null) return validations;
        await foreach (var (line, _) in MetricsLinesAsync(run, 0, cancellationToken))
        {
            // Most lines are of steps and need not be parsed.
            if (line.Span.IndexOf("\"validation\":"u8) < 0) continue;
            var metrics = JsonSerializer.Deserialize<MetricsLine>(line.Span, PipelineJson.Compact)!;
            if (metrics is { Step: > 0, Validation: { } validation })
                validations.Add(new Validation(metrics.Step, metrics.Epoch, validation.Loss));
        }
        return validations;
    }

    /// <summary>Reads the lines of a run's metrics from an offset on, each with the offset of its end.</summary>
    public IAsyncEnumerable<(ReadOnlyMemory<byte> Line, long End)> MetricsLinesAsync(
        string run, long offset, CancellationToken cancellationToken) =>
        Blob(new RunBlobs(run).Metrics).ReadLinesAsync(offset, cancellationToken);

    /// <summary>Reads a run's metrics as JSON lines, those of later steps only if a step is given.</summary>
    /// <param name="version">Version of <see cref="RunBlobs.Metrics"/>; what was appended since is left out.</param>
    public async Task<string> MetricsAsync(string run, BlobVersion version, int? afterStep, CancellationToken cancellationToken)
    {
        // Lines are in the order of their steps, and who polls wants the last few: they are looked for from the end.
        for (var bytes = afterStep is null ? version.Length : MetricsTail; version.Length > 0; bytes *= 8)
        {
            var start = Math.Max(0, version.Length - bytes);
            var options = new BlobDownloadOptions { Range = new HttpRange(start, version.Length - start) };
            var content = (await Blob(new RunBlobs(run).Metrics).DownloadContentAsync(options, cancellationToken)).Value.Content.ToString();
            // The tail begins within a line.
            var lines = (start == 0 ? content : content[(content.IndexOf('\n', StringComparison.Ordinal) + 1)..])
                .Split('\n', StringSplitOptions.RemoveEmptyEntries);
            if (afterStep is not { } after) return content;
            if (start > 0 && (lines is not [var first, ..] || StepOf(first) > after)) continue;
            return string.Concat(lines.Where(line => StepOf(line) > after).Select(line => $"{line}\n"));
        }
        return "";

        static int StepOf(string line) => JsonSerializer.Deserialize<StepOfLine>(line, JsonSerializerOptions.Web)!.Step;
    }

    /// <summary>Reads a run's gallery; null when there is none (yet).</summary>
    public async Task<SampleGallery?> GalleryAsync(string run, CancellationToken cancellationToken) =>
        (await Blob(new RunBlobs(run).Gallery).ReadJsonAsync<SampleGallery>(cancellationToken))?.Document;

    /// <summary>Returns the client of an image of a run's gallery.</summary>
    public BlobClient SampleImage(string run, string file) => Blob(new RunBlobs(run).Samples + file);

    /// <summary>Reads a page of the answers to the samples of a run's evaluations.</summary>
    /// <param name="model">Model that answered; null for all.</param>
    /// <param name="split">Split of the samples; null for all.</param>
    /// <param name="top">Maximum number of answers; fewer can come although there are more.</param>
    /// <param name="continuation">Continuation of the page before; null for the first page.</param>
    /// <exception cref="FormatException">The continuation is none.</exception>
    public async Task<AnswerPage> AnswersAsync(
        string run, string? model, string? split, int top, string? continuation, CancellationToken cancellationToken)
    {
        var start = continuation is null ? 0 : long.Parse(continuation, NumberStyles.None, CultureInfo.InvariantCulture);
        var blobs = new RunBlobs(run);
        var answers = new List<EvaluatedAnswer>();
        if (await VersionAsync(blobs.Predictions, cancellationToken) is null) return new AnswerPage(answers, null);
        var offset = start;
        await foreach (var (line, end) in Blob(blobs.Predictions).ReadLinesAsync(start, cancellationToken))
        {
            if (answers.Count == top || offset - start >= MostAnswerBytes)
                return new AnswerPage(answers, offset.ToString(CultureInfo.InvariantCulture));
            var answer = JsonSerializer.Deserialize<EvaluatedAnswer>(line.Span, PipelineJson.Compact)!;
            if ((model is null || answer.Model == model) && (split is null || answer.Split == split)) answers.Add(answer);
            offset = end;
        }
        return new AnswerPage(answers, null);
    }

    /// <summary>Reads the version of a blob of runs; null when there is none.</summary>
    public async Task<BlobVersion?> VersionAsync(string name, CancellationToken cancellationToken) =>
        await Blob(name).FindPropertiesAsync(cancellationToken) is { } properties
            ? new BlobVersion(properties.ETag, properties.CreatedOn, properties.ContentLength)
            : null;

    private BlobClient Blob(string name) => blobs.GetBlobContainerClient(Containers.Runs).GetBlobClient(name);

    private sealed record StepOfLine(int Step);

    private sealed record Cancellation(DateTimeOffset At);
}

/// <summary>Version of a blob.</summary>
/// <param name="CreatedAt">Time at which the blob was created; appends do not change it.</param>
/// <param name="Length">Length in bytes.</param>
public sealed record BlobVersion(ETag ETag, DateTimeOffset CreatedAt, long Length);

/// <summary>Last started job of a run: <c>runs/{run}/job.json</c>.</summary>
/// <param name="Name">The job's name, which identifies it when it is watched or stopped.</param>
/// <param name="Attempt">1 for the first start, higher for restarts.</param>
public sealed record StartedJob(string Name, int Attempt, DateTimeOffset StartedAt);
