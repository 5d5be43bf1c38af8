using System.Buffers.Binary;
using System.Text.Json;
using FunctionsPipeline.Contracts;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace FunctionsPipeline.FineTuning.Tracking;

/// <summary>Receiver of a run's metrics.</summary>
internal interface IMetricsSink : IRunDocument
{
    /// <summary>Queues a line without blocking.</summary>
    void Record(MetricsLine line);

    /// <summary>Records the end of the run, with null for a stopped run. Only a flush may follow.</summary>
    Task EndAsync(TrainingResult? result, CancellationToken cancellationToken);
}

/// <summary>Writes <c>runs/{run}/metrics.jsonl</c>, by appending complete lines.</summary>
internal sealed class MetricsFile(IRunStore store, string run) : IMetricsSink
{
    private readonly string _name = new RunBlobs(run).Metrics;
    private readonly Lock _lock = new();
    private List<MetricsLine> _lines = [];

    /// <inheritdoc/>
    public void Record(MetricsLine line)
    {
        lock (_lock) _lines.Add(line);
    }

    /// <inheritdoc/>
    public async Task FlushAsync(CancellationToken cancellationToken)
    {
        List<MetricsLine> lines;
        lock (_lock) (lines, _lines) = (_lines, []);
        if (lines.Count == 0) return;
        try
        {
            await store.AppendAsync(Containers.Runs, _name, JsonLines(lines), cancellationToken);
        }
        catch
        {
            lock (_lock) _lines.InsertRange(0, lines);
            throw;
        }
    }

    /// <inheritdoc/>
    public Task EndAsync(TrainingResult? result, CancellationToken cancellationToken) => Task.CompletedTask;

    /// <summary>Truncates the file after a step, for a run that resumes from that step.</summary>
    /// <param name="step">Last step whose lines are kept; null removes all lines.</param>
    public static async Task CutAsync(IRunStore store, string run, int? step, CancellationToken cancellationToken)
    {
        var name = new RunBlobs(run).Metrics;
        if (await store.ReadAsync(Containers.Runs, name, cancellationToken) is not { } content) return;
        using var kept = new MemoryStream();
        // An append that was cut off leaves a line without its newline, which is dropped.
        for (var rest = content.AsMemory(); step is not null && rest.Span.IndexOf((byte)'\n') is >= 0 and var end; rest = rest[(end + 1)..])
        {
            var line = JsonSerializer.Deserialize<MetricsLine>(rest.Span[..end], PipelineJson.Compact)!;
            if (line.Step <= step) kept.Write(rest.Span[..(end + 1)]);
        }
        if (kept.Length == content.Length) return;
        // An append blob cannot be shortened, and only AppendAsync creates one: delete it and append the kept lines.
        await store.DeleteAsync(Containers.Runs, name, cancellationToken);
        if (kept.Length > 0) await store.AppendAsync(Containers.Runs, name, kept.ToArray(), cancellationToken);
    }

    private static byte[] JsonLines(IEnumerable<MetricsLine> lines)
    {
        using var buffer = new MemoryStream();
        foreach (var line in lines)
        {
            JsonSerializer.Serialize(buffer, line, PipelineJson.Compact);
            buffer.WriteByte((byte)'\n');
        }
        return buffer.ToArray();
    }
}

/// <summary>
/// Writes TensorBoard's event file of one attempt of a run, under <see cref="RunBlobs.Events"/>. TorchSharp's writer opens and closes its
/// file for every event, so that the file can be read between two events.
/// </summary>
internal sealed class TensorBoardLog(IRunStore store, TrainingJob job, TimeProvider time) : IMetricsSink, IAsyncDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("tensorboard-").FullName;
    private readonly Lock _lock = new();
    private List<(long At, int Step, IReadOnlyList<(string Name, double Value)> Scalars)> _pending = [];
    private SummaryWriter? _writer;
    private long _stored;

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

    /// <summary>
    /// Truncates the files of earlier attempts after a step, so that no event of theirs overlaps with the next attempt's.
    /// </summary>
    /// <param name="step">Last step whose events are kept; null removes all files.</param>
    public static async Task CutAsync(IRunStore store, string run, int? step, CancellationToken cancellationToken)
    {
        foreach (var name in await store.ListAsync(Containers.Runs, new RunBlobs(run).Events, cancellationToken))
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

/// <summary>
/// Truncates TensorBoard's event files, which are sequences of records: length (8 bytes), checksum of the length (4), an <c>Event</c>
/// message, checksum of the message (4); https://github.com/tensorflow/tensorboard/blob/master/tensorboard/compat/proto/event.proto.
/// </summary>
internal static class TensorBoardEvents
{
    // Records keep their checksums, which cover nothing outside the record: removing others leaves them valid.
    private const int Head = 12;
    private const int Tail = 4;

    // Protocol buffers tags, field number and wire type: wall_time is a 64-bit double (1), step a varint (0).
    private const byte WallTime = (1 << 3) | 1;
    private const byte Step = (2 << 3) | 0;

    /// <summary>Returns the records up to a step, without an incomplete record at the end.</summary>
    public static byte[] UpTo(ReadOnlySpan<byte> file, int step)
    {
        using var kept = new MemoryStream();
        while (file.Length >= Head + Tail)
        {
            var length = BinaryPrimitives.ReadUInt64LittleEndian(file);
            if (length > (ulong)(file.Length - Head - Tail)) break;
            var record = file[..(Head + (int)length + Tail)];
            if (StepOf(record[Head..^Tail]) <= step) kept.Write(record);
            file = file[record.Length..];
        }
        return kept.ToArray();
    }

    // Protocol buffers writers order fields by number and omit a step of 0.
    private static long StepOf(ReadOnlySpan<byte> message)
    {
        // The tag and the eight bytes of the time.
        if (message.Length > 9 && message[0] == WallTime) message = message[9..];
        if (message.IsEmpty || message[0] != Step) return 0;
        // A varint has seven bits in each byte, the lowest first; the top bit says that another byte follows.
        long step = 0;
        for (var i = 1; i < message.Length; i++)
        {
            step |= (long)(message[i] & 0x7f) << (7 * (i - 1));
            if (message[i] < 0x80) break;
        }
        return step;
    }
}

/// <summary>Converts metrics to named numbers, with the same names in every tracking tool.</summary>
internal static class MetricScalars
{
    /// <summary>Lists names and values of a metrics line: <c>train/…</c>, <c>validation/…</c> and <c>memory/…</c>.</summary>
    public static IEnumerable<(string Name, double Value)> Of(MetricsLine line) => Known(
    [
        ("train/loss", line.Loss),
        ("train/learning_rate", line.LearningRate),
        ("train/grad_norm", line.GradNorm),
        ("train/tokens_per_second", line.TokensPerSecond),
        ("train/images_per_second", line.ImagesPerSecond),
        ("train/padding_share", line.PaddingShare),
        ("train/mfu", line.Mfu),
        ("memory/resident_bytes", line.ResidentBytes),
        ("memory/gpu_bytes", line.GpuBytes),
        .. line.Validation is { } validation ? Of(Splits.Validation, validation) : [],
    ]);

    /// <summary>Lists the figures of the test split, which are in no metrics line: <c>test/…</c>.</summary>
    public static IEnumerable<(string Name, double Value)> Of(TrainingResult result) =>
        result.Test is { } test ? Known(Of(Splits.Test, test)) : [];

    private static IEnumerable<(string, double?)> Of(string split, EvaluationMetrics metrics) =>
    [
        ($"{split}/loss", metrics.Loss),
        ($"{split}/parsed_share", metrics.ParsedShare),
        ($"{split}/category_accuracy", metrics.CategoryAccuracy),
        ($"{split}/title_exact_match", metrics.TitleExactMatch),
        ($"{split}/title_f1", metrics.TitleF1),
        ($"{split}/median_price_error", metrics.MedianPriceError),
        ($"{split}/mean_price_error", metrics.MeanPriceError),
        ($"{split}/median_price_percent_error", metrics.MedianPricePercentError),
        ($"{split}/price_within_ten_percent", metrics.PriceWithinTenPercent),
    ];

    private static IEnumerable<(string, double)> Known(IEnumerable<(string Name, double? Value)> scalars) =>
        scalars.Where(scalar => scalar.Value is { } value && double.IsFinite(value)).Select(scalar => (scalar.Name, scalar.Value!.Value));
}

/// <summary>Flattens a run's settings to a list, for tools without nested parameters.</summary>
internal static class FlatSettings
{
    /// <summary>
    /// Lists every setting by its dotted name in a request, such as <c>lora.rank</c>; the value of an omitted setting is empty.
    /// </summary>
    public static IReadOnlyList<(string Name, string Value)> Of(TrainingSettings settings) =>
        [.. Flatten("", JsonSerializer.SerializeToElement(settings, Json))];

    private static readonly JsonSerializerOptions Json = new(PipelineJson.Compact)
    {
        DefaultIgnoreCondition = System.Text.Json.Serialization.JsonIgnoreCondition.Never,
    };

    private static IEnumerable<(string, string)> Flatten(string name, JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.Object => value.EnumerateObject().SelectMany(p => Flatten(name.Length == 0 ? p.Name : $"{name}.{p.Name}", p.Value)),
        JsonValueKind.Array => [(name, string.Join(", ", value.EnumerateArray()))],
        _ => [(name, value.ToString())],
    };
}
