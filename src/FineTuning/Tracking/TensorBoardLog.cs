using FunctionsPipeline.Contracts;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace FunctionsPipeline.FineTuning.Tracking;

/// <summary>
/// Writes TensorBoard's event file of one attempt of a run, under <see cref="RunBlobs.Events"/>. TorchSharp's writer opens and closes its
/// file for every event, so that the file can be read between two events.
/// </summary>
internal sealed class TensorBoardLog(IRunStore store, TrainingJob job, TimeProvider time) : ITracker, IAsyncDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("tensorboard-").FullName;
    private readonly Lock _lock = new();
    private List<(long At, int Step, IReadOnlyList<(string Name, double Value)> Scalars)> _pending = [];
    private SummaryWriter? _writer;
    private long _stored;

    /// <inheritdoc/>
    public TrackerStatus Status => new("TensorBoard", Url: null, Problem: null);

    /// <inheritdoc/>
    public void Record(MetricsLine line) => Add(line.Step, MetricScalars.Of(line));

    /// <inheritdoc/>
    public Task EndAsync(TrainingResult? result, CancellationToken cancellationToken)
    {
        if (result is not null) Add(result.Steps, MetricScalars.Of(result));
        return Task.CompletedTask;
    }

    /// <inheritdoc/>
    public async Task FlushAsync(CancellationToken cancellationToken)
    {
        List<(long At, int Step, IReadOnlyList<(string Name, double Value)> Scalars)> pending;
        lock (_lock) (pending, _pending) = (_pending, []);
        if (pending.Count == 0 && _writer is null) return;
        if (_writer is null)
        {
            _writer = utils.tensorboard.SummaryWriter(_folder);
            var settings = FlatSettings.Of(job.Settings).Select(setting => $"| {setting.Name} | {setting.Value.Replace("\n", "\\n")} |");
            _writer.add_text("settings", $"| setting | value |\n| --- | --- |\n{string.Join('\n', settings)}", 0, Now());
        }
        foreach (var (at, step, scalars) in pending)
            foreach (var (name, value) in scalars) _writer.add_scalar(name, (float)value, step, at);

        var file = Directory.EnumerateFiles(_folder).Single();
        await using var stream = File.OpenRead(file);
        var added = new byte[stream.Length - _stored];
        if (added.Length == 0) return;
        stream.Position = _stored;
        await stream.ReadExactlyAsync(added, cancellationToken);
        await store.AppendAsync(Containers.Runs, new RunBlobs(job.Run).Events + Path.GetFileName(file), added, cancellationToken);
        // After the append, so that the next flush appends the same bytes if this one fails.
        _stored += added.Length;
    }

    /// <inheritdoc/>
    public async Task CutAsync(int? step, CancellationToken cancellationToken)
    {
        foreach (var name in await store.ListAsync(Containers.Runs, new RunBlobs(job.Run).Events, cancellationToken))
        {
            if (await store.ReadAsync(Containers.Runs, name, cancellationToken) is not { } content) continue;
            var kept = step is { } last ? TensorBoardEvents.UpTo(content, last) : [];
            if (kept.Length == content.Length) continue;
            await store.DeleteAsync(Containers.Runs, name, cancellationToken);
            if (kept.Length > 0) await store.AppendAsync(Containers.Runs, name, kept, cancellationToken);
        }
    }

    /// <summary>Removes the local file.</summary>
    public ValueTask DisposeAsync()
    {
        Directory.Delete(_folder, recursive: true);
        return ValueTask.CompletedTask;
    }

    private void Add(int step, IEnumerable<(string, double)> scalars)
    {
        lock (_lock) _pending.Add((Now(), step, [.. scalars]));
    }

    private long Now() => time.GetUtcNow().ToUnixTimeSeconds();
}
