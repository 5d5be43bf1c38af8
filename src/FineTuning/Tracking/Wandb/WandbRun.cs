using System.Collections.Concurrent;
using System.Globalization;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text.Json;
using FunctionsPipeline.Contracts;
using FunctionsPipeline.Images;
using Microsoft.Extensions.Logging;

namespace FunctionsPipeline.FineTuning.Tracking.Wandb;

/// <summary>
/// Run on Weights &amp; Biases. The run's documents in storage are the truth: what an outage or the end of an earlier attempt kept from the
/// server is sent from them, and steps that the server has are not sent again.
/// </summary>
internal sealed class WandbRun : ITrackingServer
{
    // A tenth of the limit of wandb's own client (https://github.com/wandb/wandb/blob/main/core/internal/filestream/filestream.go), so that
    // a slow connection sends it within the time limit of a call.
    private const int MostBytes = 1 << 20;

    // System metrics of a day and a half.
    private const int MostEvents = 10_000;

    // A storage that cannot be reached, as behind a firewall, must not hold up the metrics for long.
    private const int MostUploadAttempts = 3;

    // As Python's client says it of an interrupted run.
    private const int Interrupted = 255;

    private static readonly TimeSpan UploadTime = TimeSpan.FromMinutes(1);

    private readonly WandbOptions _options;
    private readonly TrainingJob _job;
    private readonly IRunStore _store;
    private readonly RunBlobs _blobs;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly WandbClient _client;
    private readonly SystemMetrics _system;
    private readonly long _started;
    private readonly ITimer _sampling;
    // The timer does not wait for a sample that takes longer than its interval.
    private readonly Lock _oneSample = new();
    private readonly ConcurrentQueue<(DateTimeOffset At, TimeSpan Elapsed, IReadOnlyDictionary<string, double> Figures)> _measured = new();
    private readonly Dictionary<string, (string Path, ImageHeader Header)> _images = new(StringComparer.Ordinal);
    private readonly Queue<MediaFile> _uploads = new();
    private readonly List<string> _uploaded = [];
    private RunPath? _path;
    private RunHistory _history = new(null);
    private double _runtimeBefore;
    private int _historyOffset;
    private int _eventsOffset;
    private bool _areUploadsDue;
    private bool _isCaughtUp;
    private bool _isRefused;
    private TimeSpan _pause;
    private volatile string? _page;

    /// <param name="gpu">GPU of the machine; null without one.</param>
    /// <param name="samplingInterval">Interval of the system metrics; null for that of wandb's own client, 15 seconds.</param>
    public WandbRun(
        WandbOptions options, TrainingJob job, IRunStore store, NvidiaGpu? gpu, TimeProvider time, ILogger logger,
        TimeSpan? samplingInterval = null)
    {
        _options = options;
        _job = job;
        _store = store;
        _blobs = new RunBlobs(job.Run);
        _time = time;
        _logger = logger;
        _client = new WandbClient(options);
        _system = new SystemMetrics(gpu, time);
        _started = time.GetTimestamp();
        LongestSilence = samplingInterval ?? TimeSpan.FromSeconds(15);
        // A timer of its own, since calls to the server wait during an outage.
        _sampling = time.CreateTimer(_ => Sample(), null, LongestSilence, LongestSilence);
    }

    /// <summary>Limits and pauses of the tracking; requests follow each other as slowly as those of wandb's own client.</summary>
    public static TrackingTimes Times { get; } = new() { Pause = TimeSpan.FromSeconds(15), Together = 100_000 };

    /// <inheritdoc/>
    public string Name => "Weights & Biases";

    /// <inheritdoc/>
    public Uri Url => _options.Server;

    /// <inheritdoc/>
    public string? Page => _page;

    /// <inheritdoc/>
    public TimeSpan LongestSilence { get; }

    /// <inheritdoc/>
    public Task<bool> StartAsync(PersistentCall persist) => persist(async cancellationToken =>
    {
        // Searched first: the call is repeated when its answer is lost.
        var earlier = await _client.FindAsync(_job.Run, cancellationToken);
        _path = await _client.UpsertAsync(earlier?.Id, Settings(), cancellationToken);
        _page = _options.Page(_path);
        _history = new RunHistory(earlier?.LastStep);
        (_historyOffset, _eventsOffset, _runtimeBefore) = (earlier?.HistoryLines ?? 0, earlier?.EventsLines ?? 0, earlier?.Runtime ?? 0);
    });

    /// <inheritdoc/>
    public async Task SendAsync(IReadOnlyList<TrackedRecord> records, PersistentCall persist)
    {
        if (_isRefused) return;
        foreach (var record in records)
        {
            var step = record.Line?.Step ?? record.Gallery!.Step;
            // Every step has a line: a gap is what an earlier attempt did not send, or what the queue dropped in a long outage.
            if (!_isCaughtUp || step > _history.Last + 1) await CatchUpAsync(step, persist);
            if (record.Line is { } line) _history.Add(line, record.At);
            else Add(record.Gallery!);
        }
        await SendLinesAsync(persist);
        await UploadAsync(persist);
    }

    /// <inheritdoc/>
    public async Task EndAsync(TrainingResult? result, PersistentCall persist)
    {
        if (!_isCaughtUp) await CatchUpAsync(int.MaxValue, persist);
        // A run that was cancelled, or pruned by its sweep, is stopped as a preempted one is, but no attempt will resume it.
        byte[]? stored = null, cancelled = null;
        if (result is null)
        {
            await ReadAsync(async token => stored = await _store.ReadAsync(Containers.Runs, _blobs.Result, token), persist);
            await ReadAsync(async token => cancelled = await _store.ReadAsync(Containers.Runs, _blobs.Cancelled, token), persist);
        }
        result ??= stored is null ? null : JsonSerializer.Deserialize<TrainingResult>(stored, PipelineJson.Options);
        if (result is not null) _history.End(result);
        await SendLinesAsync(persist);
        _areUploadsDue = true;
        await UploadAsync(persist);
        var exitCode = result is not null ? result.Succeeded || result.Pruned is not null ? 0 : 1
            : cancelled is not null ? Interrupted : default(int?);
        await StreamAsync(exitCode is null ? new StreamRequest { Preempting = true } : new StreamRequest
        {
            Files = new Dictionary<string, FileLines> { [StreamRequest.Summary] = Summary() },
            Complete = true,
            ExitCode = exitCode,
        }, persist);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _sampling.Dispose();
        _client.Dispose();
    }

    private RunSettings Settings()
    {
        var config = JsonSerializer.SerializeToElement(_job.Settings, PipelineJson.Compact).EnumerateObject()
            .ToDictionary(setting => setting.Name, setting => (object?)setting.Value);
        config["baseModel"] = _job.BaseModel;
        config["outputModel"] = _job.OutputModel;
        config["dataset"] = _job.Dataset;
        // wandb's own client resumes only runs that have told their telemetry; 13 is the platform:
        // https://github.com/wandb/wandb/blob/main/wandb/proto/wandb_telemetry.proto
        config["_wandb"] = new { t = new Dictionary<string, string> { ["13"] = RuntimeInformation.RuntimeIdentifier } };
        return new RunSettings(
            _job.Run, _job.Sweep ?? _options.Group, "train", _options.Tags is [] ? null : _options.Tags, Environment.MachineName,
            JsonSerializer.Serialize(config.ToDictionary(setting => setting.Key, setting => new { value = setting.Value })));
    }

    /// <summary>Adds what storage has of the steps that the history lacks.</summary>
    /// <param name="last">Step of the next record; what storage has of that step is added too, as adding it twice changes nothing.</param>
    private async Task CatchUpAsync(int last, PersistentCall persist)
    {
        IReadOnlyList<MetricsLine> metrics = [];
        var gallery = new SampleGallery([]);
        var images = new Dictionary<string, byte[]>();
        await ReadAsync(async token =>
        {
            metrics = await new JsonLinesFile<MetricsLine>(_store, _blobs.Metrics).ReadAsync(token);
            if (await _store.ReadAsync(Containers.Runs, _blobs.Samples + SampleGallery.FileName, token) is not { } json) return;
            gallery = JsonSerializer.Deserialize<SampleGallery>(json, PipelineJson.Options)!;
            foreach (var sample in gallery.Samples)
            {
                if (await _store.ReadAsync(Containers.Runs, _blobs.Samples + sample.Image, token) is { } image)
                    images[sample.Image] = image;
            }
        }, persist);
        foreach (var line in metrics.Where(line => line.Step <= last))
        {
            _history.Add(line, at: null);
            if (line.Validation is null || line.Step != _history.Last) continue;
            var answers = gallery.Samples.Where(sample => images.ContainsKey(sample.Image))
                .Select(sample => (sample, Answer: sample.Answers.FirstOrDefault(answer => answer.Step == line.Step)))
                // Galleries of earlier versions have no confidence, and are left out.
                .Where(pair => pair.Answer?.Confidence is not null)
                .Select(pair => new GalleryEntry(
                    pair.sample.Image, images[pair.sample.Image], pair.sample.Truth, pair.Answer!.Answer, pair.Answer.Confidence!));
            Add(new GalleryStep(line.Step, [.. answers]));
        }
        _isCaughtUp = true;
    }

    private void Add(GalleryStep gallery)
    {
        if (gallery.Samples.Count == 0 || gallery.Step <= _history.Closed) return;
        var samples = gallery.Samples.Take(ImageList.Most).ToList();
        foreach (var sample in samples.Where(sample => !_images.ContainsKey(sample.Image)))
        {
            var header = ImageReader.Identify(sample.Content);
            // Images stay the same from step to step: each is uploaded once.
            var path = $"media/images/gallery_{Convert.ToHexStringLower(SHA256.HashData(sample.Content))[..20]}.{header.Extension}";
            _images[sample.Image] = (path, header);
            _uploads.Enqueue(new MediaFile(path, sample.Content));
        }
        _areUploadsDue = true;
        var first = _images[samples[0].Image].Header;
        _history.Add(gallery.Step, new ImageList
        {
            Width = first.Width,
            Height = first.Height,
            Format = first.Extension,
            Files = [.. samples.Select(sample => _images[sample.Image].Path)],
            Captions = [.. samples.Select(Caption)],
        });
    }

    private static string Caption(GalleryEntry sample) => string.Create(
        CultureInfo.InvariantCulture, $"{sample.Answer}\n\nTrue: {sample.Truth}\nConfidence: {sample.Confidence.Answer:0.00}");

    /// <summary>Sends all lines that are pending; without any, a sign of life.</summary>
    private async Task SendLinesAsync(PersistentCall persist)
    {
        var bytes = 0;
        do
        {
            var (history, events) = (new List<string>(), new List<string>());
            bytes = 0;
            while (bytes < MostBytes && _history.Lines.TryDequeue(out var line))
            {
                history.Add(line);
                bytes += line.Length;
            }
            while (bytes < MostBytes && _measured.TryDequeue(out var sample))
            {
                events.Add(Line(sample.At, sample.Elapsed, sample.Figures));
                bytes += events[^1].Length;
            }
            var files = new Dictionary<string, FileLines>();
            if (history.Count > 0) files[StreamRequest.History] = new FileLines(_historyOffset, history);
            if (events.Count > 0) files[StreamRequest.Events] = new FileLines(_eventsOffset, events);
            // Together with the last step that it tells of.
            if (history.Count > 0 && _history.Lines.Count == 0) files[StreamRequest.Summary] = Summary();
            await StreamAsync(new StreamRequest { Files = files.Count > 0 ? files : null }, persist);
            _historyOffset += history.Count;
            _eventsOffset += events.Count;
        }
        // What is measured meanwhile waits for the next time.
        while (!_isRefused && bytes >= MostBytes);
    }

    private async Task StreamAsync(StreamRequest request, PersistentCall persist)
    {
        if (_isRefused) return;
        var (pause, uploaded) = (_pause, _uploaded.ToArray());
        _isRefused = !await persist(async cancellationToken =>
        {
            await Task.Delay(pause, _time, cancellationToken);
            _pause = await _client.StreamAsync(_path!, request with { Uploaded = uploaded is [] ? null : uploaded }, cancellationToken);
        }, pause == TimeSpan.Zero ? null : pause + Times.Call);
        _uploaded.Clear();
    }

    private async Task UploadAsync(PersistentCall persist)
    {
        while (!_isRefused && _areUploadsDue && _uploads.TryPeek(out var file))
        {
            // What fails is left for the next gallery.
            _areUploadsDue = await persist(token => _client.UploadAsync(_path!, file, token), UploadTime, MostUploadAttempts);
            if (!_areUploadsDue) return;
            _uploads.Dequeue();
            _uploaded.Add(file.Path);
        }
    }

    private FileLines Summary()
    {
        var runtime = _runtimeBefore + _time.GetElapsedTime(_started).TotalSeconds;
        var summary = new Dictionary<string, object>(_history.Summary) { ["_wandb"] = new { runtime = (long)runtime } };
        // The one line of the file is replaced.
        return new FileLines(0, [JsonSerializer.Serialize(summary)]);
    }

    private string Line(DateTimeOffset at, TimeSpan elapsed, IReadOnlyDictionary<string, double> figures) =>
        JsonSerializer.Serialize(new Dictionary<string, object>(figures.ToDictionary(figure => figure.Key, figure => (object)figure.Value))
        {
            ["_wandb"] = true,
            ["_timestamp"] = at.ToUnixTimeMilliseconds() / 1e3,
            ["_runtime"] = _runtimeBefore + elapsed.TotalSeconds,
        });

    private void Sample()
    {
        try
        {
            lock (_oneSample) _measured.Enqueue((_time.GetUtcNow(), _time.GetElapsedTime(_started), _system.Measure()));
            while (_measured.Count > MostEvents) _measured.TryDequeue(out _);
        }
        catch (Exception e)
        {
            // An exception of a timer would end the process.
            _sampling.Change(Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
            _logger.SystemMetricsFailed(e);
        }
    }

    /// <summary>Reads from storage, repeatedly until it succeeds.</summary>
    private static Task<bool> ReadAsync(Func<CancellationToken, Task> read, PersistentCall persist) => persist(async cancellationToken =>
    {
        try
        {
            await read(cancellationToken);
        }
        catch (Exception e) when (!cancellationToken.IsCancellationRequested)
        {
            throw new HttpRequestException($"The run's documents cannot be read from storage: {e.Message}", e);
        }
    });
}
