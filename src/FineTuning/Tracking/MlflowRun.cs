using System.Globalization;
using System.Text;
using FunctionsPipeline.Contracts;
using FunctionsPipeline.FineTuning.Evaluation;
using Microsoft.Extensions.Logging;

namespace FunctionsPipeline.FineTuning.Tracking;

/// <summary>
/// Run on an MLflow server, with the gallery, the confusion tables, the model card and the adapter as artifacts, and the model as a version
/// in the registry. An attempt that resumes from a checkpoint continues the same MLflow run, where steps that are repeated have two values.
/// </summary>
/// <param name="store">Store that the fine-tuned model is in at the end of the run.</param>
internal sealed class MlflowRun(MlflowOptions options, IRunStore store, TrainingJob job, TimeProvider time, ILogger logger)
    : ITrackingServer
{
    private const string ModelFolder = "model";

    // Galleries hold their images once for all steps, so that many take little memory.
    private const int MostGalleries = 1000;

    // By a careful guess: bytes per second of an upload.
    private const double BytesPerSecond = 1e6;

    private readonly MlflowClient _client = new(options);
    private readonly GalleryPage _galleryPage = new(job.Run);
    private readonly Queue<GalleryStep> _galleries = [];
    private volatile string? _page;
    private MlflowRunInfo _run;

    /// <inheritdoc/>
    public string Name => "MLflow";

    /// <inheritdoc/>
    public Uri Url => options.Server;

    /// <inheritdoc/>
    public string? Page => _page;

    private bool TakesArtifacts => _run.ArtifactUri.StartsWith($"{MlflowClient.ArtifactScheme}:", StringComparison.Ordinal);

    /// <inheritdoc/>
    public async Task<bool> StartAsync(PersistentCall persist)
    {
        if (!await persist(OpenAsync)) return false;
        if (!TakesArtifacts) logger.MlflowStoreUnsupported(job.Run, _run.ArtifactUri);
        foreach (var some in Parameters().Chunk(MlflowClient.MostParameters))
            await persist(token => _client.LogAsync(_run.Id, some, token));
        return true;
    }

    /// <inheritdoc/>
    public async Task SendAsync(IReadOnlyList<TrackedRecord> records, PersistentCall persist)
    {
        var metrics = records.Where(record => record.Line is not null)
            .SelectMany(record => Metrics(MetricScalars.Of(record.Line!), record.Line!.Step, record.At));
        foreach (var some in metrics.Chunk(MlflowClient.MostMetrics)) await persist(token => _client.LogAsync(_run.Id, some, token));
        foreach (var gallery in records.Select(record => record.Gallery).OfType<GalleryStep>())
        {
            if (!TakesArtifacts) continue;
            if (_galleries.Count == MostGalleries) _galleries.Dequeue();
            _galleries.Enqueue(gallery);
        }
        // Tried once each time: metrics must not wait for a store of artifacts that does not work.
        await SendGalleriesAsync((call, timeLimit, _) => persist(call, timeLimit, attempts: 1));
    }

    /// <inheritdoc/>
    public async Task EndAsync(TrainingResult? result, PersistentCall persist)
    {
        var now = time.GetUtcNow();
        if (result is not null && Metrics(MetricScalars.Of(result), result.Steps, now).ToList() is { Count: > 0 } figures)
            await persist(token => _client.LogAsync(_run.Id, figures, token));
        // Before the artifacts, which may take more time than there is.
        var status = result is null ? "KILLED" : result.Succeeded ? "FINISHED" : "FAILED";
        await persist(token => _client.UpdateRunAsync(_run.Id, status, now, token));
        await SendGalleriesAsync(persist);
        if (result is not { Succeeded: true, Model: { } model } || !TakesArtifacts) return;
        foreach (var (split, metrics) in new[] { (Splits.Validation, result.FineTuned), (Splits.Test, result.Test) })
        {
            foreach (var (field, confusion) in metrics?.Confusions() ?? [])
            {
                var name = field == FieldDefinition.Category ? split : $"{split}-{field}";
                await WriteAsync($"confusion/{name}.csv", Encoding.UTF8.GetBytes(Csv(field, confusion)), persist);
            }
        }
        if (!await WriteModelAsync(model, persist)) return;
        (string, string)[] tags = [(MlflowClient.RunTag, job.Run), ("functions_pipeline_model", $"{Containers.Models}/{model}")];
        await persist(token => _client.RegisterAsync(options.RegisteredModel, _run, ModelFolder, tags, token));
    }

    /// <inheritdoc/>
    public void Dispose() => _client.Dispose();

    private async Task OpenAsync(CancellationToken cancellationToken)
    {
        var experiment = await _client.ExperimentAsync(options.Experiment, cancellationToken);
        // Searched first: the call is repeated when its answer is lost, and must then find the run that it created.
        if (await _client.FindRunAsync(experiment, job.Run, cancellationToken) is { } known)
        {
            _run = known;
            await _client.UpdateRunAsync(_run.Id, "RUNNING", ended: null, cancellationToken);
        }
        else
        {
            _run = await _client.CreateRunAsync(experiment, job.Run, job.Sweep, time.GetUtcNow(), cancellationToken);
        }
        _page = options.Page(experiment, _run.Id);
    }

    /// <summary>Writes pending galleries until one may have to be written later.</summary>
    private async Task SendGalleriesAsync(PersistentCall persist)
    {
        while (_galleries.TryPeek(out var gallery))
        {
            var name = string.Create(CultureInfo.InvariantCulture, $"gallery/step-{gallery.Step:D8}.html");
            if (await WriteAsync(name, Encoding.UTF8.GetBytes(_galleryPage.Write(gallery)), persist) is null) return;
            _galleries.Dequeue();
        }
    }

    /// <summary>Writes the model's card and its adapter. The weights stay in storage: they have gigabytes.</summary>
    /// <returns>False when a file was refused.</returns>
    private async Task<bool> WriteModelAsync(string model, PersistentCall persist)
    {
        var local = Directory.CreateTempSubdirectory("mlflow-").FullName;
        try
        {
            var written = true;
            foreach (var name in await store.ListAsync(Containers.Models, $"{model}/", CancellationToken.None))
            {
                var file = name[(model.Length + 1)..];
                if (file != "README.md" && !file.StartsWith($"{TrainedModel.AdapterFolder}/", StringComparison.Ordinal)) continue;
                var path = Path.Combine(local, Path.GetFileName(file));
                await store.DownloadAsync(Containers.Models, name, path, CancellationToken.None);
                written &= await WriteAsync($"{ModelFolder}/{file}", new FileInfo(path).Length, () => File.OpenRead(path), persist) is true;
            }
            return written;
        }
        finally
        {
            Directory.Delete(local, recursive: true);
        }
    }

    private Task<bool?> WriteAsync(string path, byte[] content, PersistentCall persist) =>
        WriteAsync(path, content.Length, () => new MemoryStream(content), persist);

    /// <summary>Writes an artifact.</summary>
    /// <returns>False when it was refused for good; null when it may be written later.</returns>
    private async Task<bool?> WriteAsync(string path, long length, Func<Stream> open, PersistentCall persist)
    {
        bool? written = null;
        await persist(async token =>
        {
            try
            {
                await using var content = open();
                await _client.WriteArtifactAsync(_run, path, content, token);
                written = true;
            }
            catch (TrackingException e) when (!e.IsPassing)
            {
                written = false;
                throw;
            }
        }, TimeSpan.FromSeconds(10 + length / BytesPerSecond));
        return written;
    }

    private IEnumerable<(string Name, string Value)> Parameters() =>
    [
        ("baseModel", job.BaseModel),
        ("outputModel", job.OutputModel),
        ("dataset", job.Dataset ?? ""),
        .. FlatSettings.Of(job.Settings),
    ];

    private static IEnumerable<MlflowMetric> Metrics(IEnumerable<(string Name, double Value)> scalars, int step, DateTimeOffset at) =>
        scalars.Select(scalar => new MlflowMetric(scalar.Name, scalar.Value, at.ToUnixTimeMilliseconds(), step));

    // One row for each true category, one column for each answered one.
    private static string Csv(string field, IReadOnlyList<ConfusionRow> confusion)
    {
        var answered = confusion.SelectMany(row => row.Answered.Keys).Distinct().Order(StringComparer.Ordinal).ToList();
        IEnumerable<string> lines =
        [
            Line([field, .. answered.Select(category => category.Length == 0 ? "none" : category)]),
            .. confusion.Select(row => Line([row.Truth, .. answered.Select(category => $"{row.Answered.GetValueOrDefault(category)}")])),
        ];
        return string.Concat(lines);

        static string Line(IEnumerable<string> cells) =>
            string.Join(',', cells.Select(cell => $"\"{cell.Replace("\"", "\"\"")}\"")) + "\r\n";
    }
}
