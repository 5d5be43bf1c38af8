using System.Text.Json;
using Azure;
using FunctionsPipeline.Contracts;
using FunctionsPipeline.FunctionApp.Sweeps;
using Microsoft.Extensions.Caching.Memory;

namespace FunctionsPipeline.FunctionApp.Runs;

/// <summary>
/// Makes summaries of runs. The curves of the latest runs stay in memory, so that of a run in progress only new lines are read.
/// </summary>
public sealed class RunSummaries(RunDocumentStore store) : IDisposable
{
    private const int RunsKept = 500;

    private readonly MemoryCache _curves = new(new MemoryCacheOptions { SizeLimit = RunsKept });

    /// <summary>Reads the versions that determine a run's summary.</summary>
    public async Task<SummaryVersion> VersionAsync(string run, CancellationToken cancellationToken)
    {
        var blobs = new RunBlobs(run);
        // The result first, as the worker writes it last: a version with it has all metrics.
        var result = await store.VersionAsync(blobs.Result, cancellationToken);
        return new SummaryVersion(await store.VersionAsync(blobs.Metrics, cancellationToken), result?.ETag);
    }

    /// <summary>Reads a run's summary; null when no such run was accepted.</summary>
    public async Task<RunSummary?> ReadAsync(string run, SummaryVersion version, CancellationToken cancellationToken)
    {
        if (await store.AcceptedAsync<RunRequest>(run, cancellationToken) is not { } request) return null;
        var curves = await CurvesAsync(run, version.Metrics, cancellationToken);
        return new RunSummary
        {
            Run = run,
            Dataset = request.Dataset.Repo,
            Sweep = SweepPlan.SweepOf(run),
            TrainingLoss = curves.Training,
            ValidationLoss = curves.Validation,
            Result = version.Result is null ? null : await store.ResultAsync(run, cancellationToken),
        };
    }

    public void Dispose() => _curves.Dispose();

    private async Task<LossCurves> CurvesAsync(string run, BlobVersion? metrics, CancellationToken cancellationToken)
    {
        if (metrics is null) return LossCurves.Empty;
        var curves = _curves.Get<LossCurves>(run);
        // A worker that resumes from a checkpoint cuts the metrics: the blob is another one then.
        if (curves is null || curves.CreatedAt != metrics.CreatedAt || curves.Length > metrics.Length)
            curves = LossCurves.Empty with { CreatedAt = metrics.CreatedAt };
        if (curves.Length == metrics.Length) return curves;
        var builder = curves.Continue();
        await foreach (var (line, end) in store.MetricsLinesAsync(run, curves.Length, cancellationToken))
            builder.Add(JsonSerializer.Deserialize<LossLine>(line.Span, JsonSerializerOptions.Web)!, end);
        return _curves.Set(run, builder.Result, new MemoryCacheEntryOptions { Size = 1 });
    }
}

/// <summary>Versions of the blobs that a run's summary is made of.</summary>
/// <param name="Metrics">The metrics; null while there are none.</param>
/// <param name="Result">ETag of the result; null until there is one.</param>
public sealed record SummaryVersion(BlobVersion? Metrics, ETag? Result)
{
    /// <summary>Parts of the summary's ETag.</summary>
    public IEnumerable<string> Parts => [$"{Metrics?.ETag}", $"{Result}"];
}

/// <summary>The part of a <see cref="MetricsLine"/> that curves are made of.</summary>
internal sealed record LossLine(int Step, double? Loss, LossLine? Validation);

/// <summary>Loss curves of the first bytes of a run's metrics.</summary>
/// <param name="CreatedAt">Time at which the blob with the metrics was created.</param>
/// <param name="Length">Number of bytes of the metrics.</param>
/// <param name="Stride">Every so manieth step is in the curve of the training.</param>
/// <param name="Steps">Number of steps.</param>
internal sealed record LossCurves(
    DateTimeOffset CreatedAt, long Length, int Stride, int Steps, IReadOnlyList<CurvePoint> Training, IReadOnlyList<CurvePoint> Validation)
{
    private const int MostPoints = 100;

    public static LossCurves Empty { get; } = new(default, 0, 1, 0, [], []);

    /// <summary>Returns a builder for longer curves.</summary>
    public Builder Continue() => new(this);

    /// <summary>Adds lines to curves.</summary>
    public sealed class Builder(LossCurves curves)
    {
        private readonly List<CurvePoint> _validation = [.. curves.Validation];
        private List<CurvePoint> _training = [.. curves.Training];
        private (long Length, int Stride, int Steps) _state = (curves.Length, curves.Stride, curves.Steps);

        public LossCurves Result => curves with
        {
            Length = _state.Length,
            Stride = _state.Stride,
            Steps = _state.Steps,
            Training = _training,
            Validation = _validation,
        };

        /// <param name="end">Offset of the line's end.</param>
        public void Add(LossLine line, long end)
        {
            _state.Length = end;
            if (line.Validation?.Loss is { } validation) _validation.Add(new CurvePoint(line.Step, validation));
            if (line.Loss is not { } loss) return;
            if (_state.Steps++ % _state.Stride == 0) _training.Add(new CurvePoint(line.Step, loss));
            if (_training.Count <= MostPoints) return;
            _training = [.. _training.Where((_, i) => i % 2 == 0)];
            _state.Stride *= 2;
        }
    }
}
