using Azure;
using Azure.Storage.Blobs;
using Azure.Storage.Blobs.Models;
using FunctionsPipeline.Contracts;
using FunctionsPipeline.FineTuning;
using SixLabors.ImageSharp;
using SixLabors.ImageSharp.PixelFormats;

namespace FunctionsPipeline.GpuWorker.Serving;

/// <summary>
/// Holds the model that serves: follows <c>models/current.json</c> and exchanges the model when another has been loaded and has answered a
/// probe. A model that cannot do that leaves the old one serving and is tried again later.
/// </summary>
internal sealed class ModelFollower(
    BlobServiceClient blobs, IRunStore store, ServingOptions options, TimeProvider time, ILogger<ModelFollower> logger) : BackgroundService
{
    private const string NotPublished = "No model has been published yet; fine-tune one first.";

    private static readonly TimeSpan PollInterval = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan FirstPause = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan LongestPause = TimeSpan.FromMinutes(5);

    private readonly string _cache = Path.Combine(options.Cache, "serving");
    private readonly byte[] _probe = BlankImage();
    private readonly Lock _gate = new();
    private ServingModel? _serving;
    private ETag? _read;
    private CurrentModel? _current;
    private string _state = "Storage has not been read yet.";
    private string? _unusable;
    private TimeSpan _pause;
    private DateTimeOffset _retryAt;

    /// <summary>Version of the model that serves; null when none does.</summary>
    public string? Serving
    {
        get
        {
            lock (_gate) return _serving?.Published.Version;
        }
    }

    /// <summary>Reason that the current model does not serve; null when it does.</summary>
    public string? Problem
    {
        get
        {
            lock (_gate) return _unusable ?? (_serving is null ? _state : null);
        }
    }

    /// <summary>Time after which another request may find a model.</summary>
    public TimeSpan RetryAfter => _current is null ? TimeSpan.FromSeconds(30) : FirstPause;

    /// <summary>Starts a use of the serving model; null when there is none, for the reason in <see cref="Problem"/>.</summary>
    public ModelLease? Lease()
    {
        lock (_gate) return _serving?.Lease();
    }

    public override void Dispose()
    {
        base.Dispose();
        Serve(null);
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        while (true)
        {
            try
            {
                await FollowAsync(stoppingToken);
            }
            // Whatever is wrong with storage or a model, the next look may find it mended.
            catch (Exception e) when (!stoppingToken.IsCancellationRequested)
            {
                Say($"models/current.json cannot be read: {e.Message}");
            }
            await Task.Delay(PollInterval, time, stoppingToken);
        }
    }

    private async Task FollowAsync(CancellationToken stoppingToken)
    {
        if (await ReadAsync(stoppingToken) is { } changed)
        {
            (_current, _pause, _retryAt) = (changed, FirstPause, time.GetUtcNow());
            lock (_gate) _unusable = null;
        }
        if (_current is not { } current)
        {
            Say(NotPublished);
            return;
        }
        if (_retryAt <= time.GetUtcNow())
        {
            Say($"Model {current.Version} is being loaded.");
            await TryLoadAsync(current, stoppingToken);
        }
        if (Serving is { } version) Say($"Model {version} serves.");
    }

    private async Task TryLoadAsync(CurrentModel current, CancellationToken stoppingToken)
    {
        try
        {
            await LoadAsync(current, stoppingToken);
            _retryAt = DateTimeOffset.MaxValue;
            lock (_gate) _unusable = null;
        }
        catch (Exception e) when (!stoppingToken.IsCancellationRequested)
        {
            logger.ModelUnusable(e, current.Version, _pause.TotalSeconds);
            lock (_gate) _unusable = $"Model {current.Version} cannot be used: {e.Message}";
            _retryAt = time.GetUtcNow() + _pause;
            _pause = _pause * 2 < LongestPause ? _pause * 2 : LongestPause;
        }
    }

    /// <summary>Reads the document that names the model; null when it has not changed or does not exist.</summary>
    private async Task<CurrentModel?> ReadAsync(CancellationToken stoppingToken)
    {
        var blob = blobs.GetBlobContainerClient(Containers.Models).GetBlobClient(BlobNames.CurrentModel);
        var changed = new BlobDownloadOptions { Conditions = new BlobRequestConditions { IfNoneMatch = _read } };
        try
        {
            var read = await blob.DownloadContentAsync(changed, stoppingToken);
            if (read.GetRawResponse().Status == StatusCodes.Status304NotModified) return null;
            var current = read.Value.Content.ToObjectFromJson<CurrentModel>(PipelineJson.Options);
            _read = read.Value.Details.ETag;
            return current;
        }
        catch (RequestFailedException e) when (e.Status == 404)
        {
            return null;
        }
    }

    private async Task LoadAsync(CurrentModel current, CancellationToken stoppingToken)
    {
        var folder = await ModelTransfer.DownloadAsync(store, current.Version, _cache, stoppingToken);
        if (_serving is { } serving && serving.Folder == folder)
        {
            serving.Published = current;
            return;
        }
        Serve(new ServingModel(await LoadAsync(folder, stoppingToken), folder, current));
        RemoveUnused(folder);
    }

    /// <summary>Loads a model beside the serving one where memory holds both, otherwise after the last request to that has ended.</summary>
    private async Task<Predictor> LoadAsync(string folder, CancellationToken stoppingToken)
    {
        if (_serving is not { } old) return await LoadAndProbeAsync(folder, stoppingToken);
        if (!options.Drain && DeviceMemory.Holds(folder, options))
        {
            try
            {
                return await LoadAndProbeAsync(folder, stoppingToken);
            }
            catch (Exception e) when (DeviceMemory.IsExhausted(e))
            {
                // What else the device's memory holds is not always known.
            }
        }
        logger.ModelDrained(old.Published.Version);
        Serve(null);
        await old.Freed.WaitAsync(stoppingToken);
        try
        {
            return await LoadAndProbeAsync(folder, stoppingToken);
        }
        catch (Exception) when (!stoppingToken.IsCancellationRequested)
        {
            Serve(new ServingModel(await LoadAndProbeAsync(old.Folder, stoppingToken), old.Folder, old.Published));
            throw;
        }
    }

    private Task<Predictor> LoadAndProbeAsync(string folder, CancellationToken stoppingToken) => Task.Run(
        () =>
        {
            var predictor = new Predictor(folder, options.Device, options.Precision, options.FreeAnswers);
            try
            {
                var answer = predictor.Answer([predictor.Prepare(_probe)], stoppingToken)[0];
                if (double.IsNaN(answer.LogProbability))
                    throw new InvalidDataException("the probability of its answer to a blank image is no number, as if weights were none.");
                return predictor;
            }
            catch
            {
                predictor.Dispose();
                throw;
            }
        },
        stoppingToken);

    private void Serve(ServingModel? model)
    {
        ServingModel? old;
        lock (_gate) (old, _serving) = (_serving, model);
        old?.Release();
    }

    /// <summary>Removes models from the cache but the one in a folder and the one that served before it.</summary>
    private void RemoveUnused(string folder)
    {
        // The order of these times is that of serving.
        Directory.SetLastWriteTimeUtc(folder, time.GetUtcNow().UtcDateTime);
        foreach (var unused in new DirectoryInfo(_cache).GetDirectories().OrderByDescending(model => model.LastWriteTimeUtc).Skip(2))
        {
            try
            {
                unused.Delete(recursive: true);
            }
            catch (IOException e)
            {
                logger.ModelNotRemoved(unused.FullName, e.Message);
            }
        }
    }

    private void Say(string state)
    {
        lock (_gate)
        {
            if (state == _state) return;
            _state = state;
        }
        logger.ModelState(state);
    }

    private static byte[] BlankImage()
    {
        using var image = new Image<Rgb24>(336, 336, new Rgb24(255, 255, 255));
        using var png = new MemoryStream();
        image.SaveAsPng(png);
        return png.ToArray();
    }
}
