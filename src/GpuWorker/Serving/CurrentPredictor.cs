using System.Text.Json;
using FunctionsPipeline.Contracts;
using FunctionsPipeline.FineTuning;
using TorchSharp;

namespace FunctionsPipeline.GpuWorker.Serving;

/// <summary>
/// Holds the predictor of the serving model: follows <c>models/current.json</c>, downloads each version once, and serves one caller at a
/// time.
/// </summary>
/// <param name="cache">Local folder that caches models.</param>
internal sealed class CurrentPredictor(IRunStore store, string cache, torch.Device device, ILogger<CurrentPredictor> logger) : IDisposable
{
    private readonly SemaphoreSlim _turn = new(1);
    private (string Version, Predictor Predictor)? _loaded;

    /// <summary>Version of the loaded model; null before the first load.</summary>
    public string? Version => _loaded?.Version;

    /// <summary>Calls a function with the predictor of the serving model, which is loaded first when the version has changed.</summary>
    /// <returns>The function's result; null when no model has been published yet.</returns>
    public async Task<TResult?> UseAsync<TResult>(Func<string, Predictor, TResult> use, CancellationToken cancellationToken)
        where TResult : class
    {
        await _turn.WaitAsync(cancellationToken);
        try
        {
            var current = await store.ReadAsync(Containers.Models, BlobNames.CurrentModel, cancellationToken);
            if (current is null) return null;
            var version = JsonSerializer.Deserialize<CurrentModel>(current, PipelineJson.Options)!.Version;
            if (version != _loaded?.Version) await LoadAsync(version, cancellationToken);
            var (_, predictor) = _loaded!.Value;
            return await Task.Run(() => use(version, predictor), cancellationToken);
        }
        finally
        {
            _turn.Release();
        }
    }

    public void Dispose()
    {
        _loaded?.Predictor.Dispose();
        _turn.Dispose();
    }

    private async Task LoadAsync(string version, CancellationToken cancellationToken)
    {
        var folder = await ModelTransfer.DownloadAsync(store, version, cache, cancellationToken);
        var predictor = await Task.Run(() => new Predictor(folder, device), cancellationToken);
        _loaded?.Predictor.Dispose();
        _loaded = (version, predictor);
        logger.ModelLoaded(version);
    }
}
