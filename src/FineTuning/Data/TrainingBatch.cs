using System.Runtime.InteropServices;
using FunctionsPipeline.Phi3Vision.Config;
using FunctionsPipeline.Phi3Vision.Images;
using FunctionsPipeline.Phi3Vision.Model;
using FunctionsPipeline.Phi3Vision.Vision;
using static TorchSharp.torch;

namespace FunctionsPipeline.FineTuning.Data;

/// <summary>Samples that are computed together, in managed memory so that a background thread can prepare them.</summary>
public sealed class TrainingBatch
{
    private readonly IBatchImages _images;
    private readonly long[] _ids, _positions, _targets;
    private readonly long[]? _mask, _segments;

    /// <param name="samples">At least one row with its images.</param>
    /// <param name="padding">Id that pads shorter rows.</param>
    /// <param name="padLeft">Pads on the left, as generation requires, in place of the right.</param>
    /// <param name="packing">Lays the rows end to end in place of padding: <see cref="ModelInput.SegmentLengths"/>.</param>
    public TrainingBatch(
        IReadOnlyList<(TrainingRow Row, IReadOnlyList<ProcessedImage> Images)> samples, int padding, bool padLeft = false,
        bool packing = false)
        : this(
            [.. samples.Select(sample => sample.Row)], new BatchPixels([.. samples.SelectMany(sample => sample.Images)]),
            padding, padLeft, packing)
    {
    }

    /// <summary>Makes a batch from image features that the vision tower computed before.</summary>
    /// <inheritdoc cref="TrainingBatch(IReadOnlyList{ValueTuple{TrainingRow, IReadOnlyList{ProcessedImage}}}, int, bool, bool)"/>
    public TrainingBatch(
        IReadOnlyList<(TrainingRow Row, IReadOnlyList<ImageFeatures> Images)> samples, int padding, bool padLeft = false,
        bool packing = false)
        : this(
            [.. samples.Select(sample => sample.Row)], new BatchFeatures([.. samples.SelectMany(sample => sample.Images)]),
            padding, padLeft, packing)
    {
    }

    private TrainingBatch(TrainingRow[] rows, IBatchImages images, int padding, bool padLeft, bool packing)
    {
        if (packing && padLeft) throw new ArgumentException("A pack has no padding.", nameof(padLeft));
        (_images, Rows) = (images, rows.Length);
        Tokens = rows.Sum(row => row.Ids.Length);
        _segments = packing ? [.. rows.Select(row => (long)row.Ids.Length)] : null;
        var longest = rows.Max(row => row.Ids.Length);
        _ids = new long[packing ? Tokens : rows.Length * longest];
        _mask = packing ? null : new long[_ids.Length];
        var positions = new List<long>();
        var targets = new List<long>();
        Array.Fill(_ids, padding);
        var start = 0;
        foreach (var row in rows)
        {
            var filler = packing ? 0 : longest - row.Ids.Length;
            if (padLeft) start += filler;
            for (var i = 0; i < row.Ids.Length; i++) _ids[start + i] = row.Ids[i];
            _mask?.AsSpan(start, row.Ids.Length).Fill(1);
            // Shifted by one: the hidden state at position t predicts the id at t + 1. In a pack no label crosses to the next sample.
            var labels = row.Labels();
            for (var i = 1; i < labels.Length; i++)
            {
                if (labels[i] == TrainingRow.Ignored) continue;
                positions.Add(start + i - 1);
                targets.Add(labels[i]);
            }
            start += row.Ids.Length + (padLeft ? 0 : filler);
        }
        (_positions, _targets) = ([.. positions], [.. targets]);
        // Negative ids are positions of an image.
        Size = new StepSize(
            Tokens, rows.Sum(row => (double)row.Ids.Length * row.Ids.Length), rows.Sum(row => row.Ids.Count(id => id < 0)), images.Views,
            Labels);
    }

    /// <summary>Number of samples.</summary>
    public int Rows { get; }

    /// <summary>Number of labelled positions, the divisor of a mean loss.</summary>
    public int Labels => _targets.Length;

    /// <summary>Number of tokens without padding.</summary>
    public int Tokens { get; }

    /// <summary>Number of positions that the decoder computes, padding included.</summary>
    public int PositionCount => _ids.Length;

    /// <summary>Size of the computation.</summary>
    public StepSize Size { get; }

    /// <summary>Share of the positions that are padding.</summary>
    public double PaddingShare => 1 - (double)Tokens / PositionCount;

    /// <summary>Copies the model's input to a device: ids [B, L], or [1, total length] for a pack.</summary>
    public ModelInput Input(Device device)
    {
        long[] shape = _segments is null ? [Rows, _ids.Length / Rows] : [1, _ids.Length];
        return _images.AddTo(new ModelInput(
            tensor(_ids, shape, device: device),
            _mask is null ? null : tensor(_mask, shape, device: device),
            SegmentLengths: _segments), device);
    }

    /// <summary>Copies the positions that predict a label to a device, I64 [labels]: indices into the hidden states [B·L, H].</summary>
    public Tensor Positions(Device device) => tensor(_positions, [_positions.Length], device: device);

    /// <summary>Copies the labels of these positions to a device, I64 [labels].</summary>
    public Tensor Targets(Device device) => tensor(_targets, [_targets.Length], device: device);
}

/// <summary>Images of a batch in managed memory, in the order of the rows.</summary>
internal interface IBatchImages
{
    /// <summary>Number of views that the vision tower processes.</summary>
    int Views { get; }

    /// <summary>Returns the model's input with the images added, on a device.</summary>
    ModelInput AddTo(ModelInput input, Device device);
}

/// <summary>Images of a batch as pixels, with filler up to the largest number of views.</summary>
/// <param name="images">At least one.</param>
internal sealed class BatchPixels(IReadOnlyList<ProcessedImage> images) : IBatchImages
{
    private const int Side = Phi3VisionConfig.ViewSize;
    private const int View = 3 * Side * Side;

    // The crop of an image of one crop has the same pixels as its global view: one view serves as both.
    private readonly bool _oneView = images.All(OneView);

    /// <inheritdoc/>
    public int Views { get; } = images.Sum(image => OneView(image) ? 1 : image.Views);

    /// <inheritdoc/>
    public ModelInput AddTo(ModelInput input, Device device)
    {
        var pixels = Pixels(_oneView ? 1 : images.Max(image => image.Views)).to(device);
        return input with
        {
            PixelValues = _oneView ? pixels.expand(-1, 2, -1, -1, -1) : pixels,
            ImageSizes = tensor(
                images.SelectMany(image => new long[] { image.Height, image.Width }).ToArray(), [images.Count, 2], device: device),
        };
    }

    private static bool OneView(ProcessedImage image) => image is { Height: Side, Width: Side };

    // Copied directly into the tensor's memory: an intermediate array per step would dominate the garbage collector's work.
    private Tensor Pixels(int views)
    {
        var batch = zeros([images.Count, views, 3, Side, Side]);
        var pixels = MemoryMarshal.Cast<byte, float>(batch.bytes);
        for (var i = 0; i < images.Count; i++)
        {
            var values = images[i].PixelValues;
            values.AsSpan(0, Math.Min(views * View, values.Length)).CopyTo(pixels[(i * views * View)..]);
        }
        return batch;
    }
}

/// <summary>Images of a batch as outputs of the vision tower.</summary>
/// <param name="images">At least one.</param>
internal sealed class BatchFeatures(IReadOnlyList<ImageFeatures> images) : IBatchImages
{
    /// <inheritdoc/>
    public int Views => 0;

    /// <inheritdoc/>
    public ModelInput AddTo(ModelInput input, Device device) => input with
    {
        ImageFeatures = [.. images.Select(image => image.ToTensor(device))],
        ImageSizes = tensor(
            images.SelectMany(image => new long[] { image.Height, image.Width }).ToArray(), [images.Count, 2], device: device),
    };
}
