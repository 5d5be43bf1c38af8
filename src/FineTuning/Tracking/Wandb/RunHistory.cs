using System.Text.Json;
using System.Text.Json.Serialization;
using FunctionsPipeline.Contracts;

namespace FunctionsPipeline.FineTuning.Tracking.Wandb;

/// <summary>
/// Turns what a run records into the lines of <c>wandb-history.jsonl</c>, one for each step, and its summary. A step is complete, and its
/// line is made, when a later one begins: a line cannot be changed once it is sent, and steps that go back are dropped by the server.
/// </summary>
/// <param name="sent">Last step that an earlier attempt sent; null for none.</param>
internal sealed class RunHistory(int? sent)
{
    private readonly Dictionary<string, object> _summary = [];
    private Dictionary<string, object>? _open;
    private int _openStep;
    private double? _bestLoss;

    /// <summary>The last step with a line, sent or made; -1 for none.</summary>
    public int Closed { get; private set; } = sent ?? -1;

    /// <summary>The last step that anything is known of; -1 for none.</summary>
    public int Last => _open is null ? Closed : _openStep;

    /// <summary>Lines to send.</summary>
    public Queue<string> Lines { get; } = new();

    /// <summary>Values that stand for the run, among them the last one of each metric.</summary>
    public IReadOnlyDictionary<string, object> Summary => _summary;

    /// <summary>Adds a line of metrics; adding it again changes nothing.</summary>
    /// <param name="at">Time of the recording; null when unknown.</param>
    public void Add(MetricsLine line, DateTimeOffset? at)
    {
        foreach (var (name, value) in MetricScalars.Of(line)) Add(line.Step, name, value);
        Add(line.Step, "epoch", line.Epoch);
        Add(line.Step, "_runtime", line.Seconds);
        if (at is { } time) Add(line.Step, "_timestamp", time.ToUnixTimeMilliseconds() / 1e3);
        // Step 0 is the base model.
        if (line.Step == 0 || line.Validation?.Loss is not { } loss || !(loss < (_bestLoss ?? double.PositiveInfinity))) return;
        _bestLoss = loss;
        _summary["validation/best_loss"] = loss;
        _summary["validation/best_step"] = line.Step;
    }

    /// <summary>Adds the gallery after a step.</summary>
    public void Add(int step, ImageList gallery) => Add(step, "gallery", gallery);

    /// <summary>Adds the end of the run and completes its last step.</summary>
    public void End(TrainingResult result)
    {
        foreach (var (name, value) in MetricScalars.Of(result)) Add(Last, name, value);
        if (result.Error is { } error) _summary["error"] = error;
        if (result.Pruned is { } pruned) _summary["pruned"] = pruned.Reason;
        Close();
    }

    private void Add(int step, string name, object value)
    {
        if (step > Last)
        {
            Close();
            (_open, _openStep) = ([], step);
        }
        if (step == _openStep) _open?[name] = value;
        _summary[name] = value;
    }

    private void Close()
    {
        if (_open is null) return;
        _summary["_step"] = _open["_step"] = Closed = _openStep;
        Lines.Enqueue(JsonSerializer.Serialize(_open));
        _open = null;
    }
}

/// <summary>Images of one step with captions, in the format of a list of <c>wandb.Image</c>.</summary>
// https://github.com/wandb/wandb/blob/main/wandb/sdk/data_types/image.py
internal sealed record ImageList
{
    /// <summary>Number of images that the server's pages show at a step.</summary>
    public const int Most = 108;

    [JsonPropertyName("_type")]
    public string Type => "images/separated";

    /// <summary>Width of the first image, in pixels.</summary>
    [JsonPropertyName("width")]
    public required int Width { get; init; }

    /// <summary>Height of the first image, in pixels.</summary>
    [JsonPropertyName("height")]
    public required int Height { get; init; }

    /// <summary>Format of the first image, such as <c>png</c>.</summary>
    [JsonPropertyName("format")]
    public required string Format { get; init; }

    [JsonPropertyName("count")]
    public int Count => Files.Count;

    /// <summary>Paths in the run's files.</summary>
    [JsonPropertyName("filenames")]
    public required IReadOnlyList<string> Files { get; init; }

    [JsonPropertyName("captions")]
    public required IReadOnlyList<string> Captions { get; init; }
}
