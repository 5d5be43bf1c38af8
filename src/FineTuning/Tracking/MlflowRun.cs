using FunctionsPipeline.Contracts;

namespace FunctionsPipeline.FineTuning.Tracking;

/// <summary>
/// Run on an MLflow server. An attempt that resumes from a checkpoint continues the same MLflow run, where steps that are repeated have two
/// values.
/// </summary>
internal sealed class MlflowRun(MlflowOptions options, TrainingJob job, TimeProvider time) : ITrackingServer
{
    private readonly MlflowClient _client = new(options);
    private volatile string? _page;
    private string _id = "";

    /// <inheritdoc/>
    public string Name => "MLflow";

    /// <inheritdoc/>
    public Uri Url => options.Server;

    /// <inheritdoc/>
    public string? Page => _page;

    /// <inheritdoc/>
    public async Task<bool> StartAsync(PersistentCall persist)
    {
        if (!await persist(OpenAsync)) return false;
        foreach (var some in Parameters().Chunk(MlflowClient.MostParameters)) await persist(token => _client.LogAsync(_id, some, token));
        return true;
    }

    /// <inheritdoc/>
    public async Task SendAsync(IReadOnlyList<TrackedRecord> records, PersistentCall persist)
    {
        var metrics = records.Where(record => record.Line is not null)
            .SelectMany(record => Metrics(MetricScalars.Of(record.Line!), record.Line!.Step, record.At));
        foreach (var some in metrics.Chunk(MlflowClient.MostMetrics)) await persist(token => _client.LogAsync(_id, some, token));
    }

    /// <inheritdoc/>
    public async Task EndAsync(TrainingResult? result, PersistentCall persist)
    {
        var now = time.GetUtcNow();
        if (result is not null && Metrics(MetricScalars.Of(result), result.Steps, now).ToList() is { Count: > 0 } figures)
            await persist(token => _client.LogAsync(_id, figures, token));
        var status = result is null ? "KILLED" : result.Succeeded ? "FINISHED" : "FAILED";
        await persist(token => _client.UpdateRunAsync(_id, status, now, token));
    }

    /// <inheritdoc/>
    public void Dispose() => _client.Dispose();

    private async Task OpenAsync(CancellationToken cancellationToken)
    {
        var experiment = await _client.ExperimentAsync(options.Experiment, cancellationToken);
        // Searched first: the call is repeated when its answer is lost, and must then find the run that it created.
        if (await _client.FindRunAsync(experiment, job.Run, cancellationToken) is { } id)
            await _client.UpdateRunAsync(_id = id, "RUNNING", ended: null, cancellationToken);
        else _id = await _client.CreateRunAsync(experiment, job.Run, job.Sweep, time.GetUtcNow(), cancellationToken);
        _page = options.Page(experiment, _id);
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
}
