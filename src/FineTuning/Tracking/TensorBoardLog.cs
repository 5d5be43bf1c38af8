using System.Globalization;
using FunctionsPipeline.Contracts;
using FunctionsPipeline.FineTuning.Evaluation;
using FunctionsPipeline.Images;
using Google.Protobuf;
using Tensorboard;
using Messages = TorchSharp.torch.utils.tensorboard.Summary;

namespace FunctionsPipeline.FineTuning.Tracking;

/// <summary>
/// Writes TensorBoard's event file of one attempt of a run, under <see cref="RunBlobs.Events"/>. The messages are TorchSharp's, its
/// <c>SummaryWriter</c> is not used: its images and histograms go through tensors, with numbers that may be freed too early.
/// </summary>
internal sealed class TensorBoardLog(IRunStore store, TrainingJob job, TimeProvider time) : ITracker
{
    // In pixels: the longer side of images.
    private const int ImageSide = 256;

    // TensorBoard wants "tfevents" in the name and reads files in the order of their names.
    private readonly string _name = new RunBlobs(job.Run).Events + string.Create(CultureInfo.InvariantCulture,
        $"events.out.tfevents.{time.GetUtcNow().UtcTicks}.{Environment.MachineName}.{Environment.ProcessId}");

    private readonly Lock _lock = new();
    private readonly MemoryStream _unstored = new();
    private List<(double At, int Step, Func<Summary> Summary)> _pending = [];
    private bool _started;

    /// <inheritdoc/>
    public TrackerStatus Status => new("TensorBoard", Url: null, Problem: null);

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

    /// <inheritdoc/>
    public void Record(MetricsLine line) => Add(line.Step, () => Scalars(MetricScalars.Of(line)));

    /// <inheritdoc/>
    public void Record(GalleryStep gallery)
    {
        var rows = gallery.Samples.Select(sample =>
            new[] { sample.Image, sample.Truth, sample.Answer, $"{sample.Confidence.Answer:0.00}" });
        Add(gallery.Step, () => Messages.text("gallery", Table(["sample", "truth", "answer", "confidence"], rows)));
        // The images are the same at every step.
        if (gallery.Step == 0) Add(gallery.Step, () => Of(gallery.Samples.Select(Image)));
    }

    /// <inheritdoc/>
    public void Record(EvaluationStep evaluation) => Add(evaluation.Step, () => Of(SampleFigure.Of(evaluation.Answers)
        .Where(figure => figure.Values.Count > 0)
        // Not the names of the scalars: TensorBoard shows one kind of data under a name.
        .Select(figure => new Summary.Types.Value
        {
            Tag = $"{evaluation.Split}/samples/{figure.Name}", Histo = TensorBoardEvents.Histogram(figure.Values, figure.Limits),
        })));

    /// <inheritdoc/>
    public Task EndAsync(TrainingResult? result, CancellationToken cancellationToken)
    {
        if (result is not null) Add(result.Steps, () => Scalars(MetricScalars.Of(result)));
        return Task.CompletedTask;
    }

    /// <inheritdoc/>
    public async Task FlushAsync(CancellationToken cancellationToken)
    {
        List<(double At, int Step, Func<Summary> Summary)> pending;
        lock (_lock) (pending, _pending) = (_pending, []);
        if (pending.Count > 0 && !_started)
        {
            _started = true;
            _unstored.Write(TensorBoardEvents.Record(new Event { WallTime = pending[0].At, FileVersion = "brain.Event:2" }));
            var settings = FlatSettings.Of(job.Settings).Select(setting => new[] { setting.Name, setting.Value });
            Write(pending[0].At, 0, Messages.text("settings", Table(["setting", "value"], settings)));
        }
        foreach (var (at, step, summary) in pending) Write(at, step, summary());
        if (_unstored.Length == 0) return;
        await store.AppendAsync(Containers.Runs, _name, _unstored.ToArray(), cancellationToken);
        // After the append, so that the next flush appends the same bytes if this one fails.
        _unstored.SetLength(0);
    }

    private void Add(int step, Func<Summary> summary)
    {
        lock (_lock) _pending.Add((time.GetUtcNow().ToUnixTimeMilliseconds() / 1000.0, step, summary));
    }

    private void Write(double at, int step, Summary summary)
    {
        foreach (var value in summary.Value)
            _unstored.Write(TensorBoardEvents.Record(new Event { WallTime = at, Step = step, Summary = Of([value]) }));
    }

    private static Summary Of(IEnumerable<Summary.Types.Value> values)
    {
        var summary = new Summary();
        summary.Value.AddRange(values);
        return summary;
    }

    private static Summary Scalars(IEnumerable<(string Name, double Value)> scalars) =>
        Of(scalars.Select(scalar => new Summary.Types.Value { Tag = scalar.Name, SimpleValue = (float)scalar.Value }));

    private static Summary.Types.Value Image(GalleryEntry sample)
    {
        var (jpeg, width, height) = Thumbnail.Of(sample.Content, ImageSide);
        return new Summary.Types.Value
        {
            Tag = $"gallery/{sample.Image}",
            // Colour space 3 is RGB.
            Image = new() { Width = width, Height = height, Colorspace = 3, EncodedImageString = ByteString.CopyFrom(jpeg) },
        };
    }

    private static string Table(IReadOnlyList<string> columns, IEnumerable<IReadOnlyList<string>> rows) =>
        string.Join('\n', [Row(columns), Row([.. columns.Select(_ => "---")]), .. rows.Select(row => Row([.. row.Select(Markdown.Cell)]))]);

    private static string Row(IReadOnlyList<string> cells) => $"| {string.Join(" | ", cells)} |";
}
