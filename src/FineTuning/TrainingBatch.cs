using FunctionsPipeline.Phi3Vision;
using static TorchSharp.torch;

namespace FunctionsPipeline.FineTuning;

/// <summary>Several samples side by side, still in managed memory so that a background thread can prepare it.</summary>
internal sealed class TrainingBatch
{
    private readonly int _rows, _length, _views;
    private readonly long[] _ids, _mask, _sizes, _positions, _targets;
    private readonly float[] _pixels;

    /// <param name="samples">At least one row with its image.</param>
    /// <param name="padding">The id that fills shorter rows.</param>
    /// <param name="padLeft">Fills them on the left, as generation needs it, in place of the right.</param>
    public TrainingBatch(IReadOnlyList<(TrainingRow Row, ProcessedImage Image)> samples, int padding, bool padLeft = false)
    {
        _rows = samples.Count;
        _length = samples.Max(s => s.Row.Ids.Length);
        _views = samples.Max(s => s.Image.Views);
        _ids = new long[_rows * _length];
        _mask = new long[_rows * _length];
        _sizes = new long[_rows * 2];
        const int view = 3 * Phi3VisionConfig.ViewSize * Phi3VisionConfig.ViewSize;
        _pixels = new float[_rows * _views * view];
        var positions = new List<long>();
        var targets = new List<long>();
        Array.Fill(_ids, padding);
        for (var r = 0; r < _rows; r++)
        {
            var (row, image) = samples[r];
            var start = r * _length + (padLeft ? _length - row.Ids.Length : 0);
            for (var i = 0; i < row.Ids.Length; i++)
            {
                _ids[start + i] = row.Ids[i];
                _mask[start + i] = 1;
            }
            // The hidden state at t predicts the id at t + 1.
            var labels = row.Labels();
            for (var i = 1; i < labels.Length; i++)
            {
                if (labels[i] == TrainingRow.Ignored) continue;
                positions.Add(start + i - 1);
                targets.Add(labels[i]);
            }
            image.PixelValues.CopyTo(_pixels, r * _views * view);
            (_sizes[2 * r], _sizes[2 * r + 1]) = (image.Height, image.Width);
            Tokens += row.Ids.Length;
        }
        (_positions, _targets) = ([.. positions], [.. targets]);
    }

    /// <summary>Samples.</summary>
    public int Rows => _rows;

    /// <summary>Labelled positions: what a mean loss is a mean of.</summary>
    public int Labels => _targets.Length;

    /// <summary>Tokens without padding.</summary>
    public int Tokens { get; }

    /// <summary>The model's input, on a device.</summary>
    public ModelInput Input(Device device)
    {
        const int side = Phi3VisionConfig.ViewSize;
        return new ModelInput(
            tensor(_ids, [_rows, _length], device: device),
            tensor(_mask, [_rows, _length], device: device),
            tensor(_pixels, [_rows, _views, 3, side, side], device: device),
            tensor(_sizes, [_rows, 2], device: device));
    }

    /// <summary>I64 [labels]: indices into the rows of hidden states [B·L,H] that predict a label.</summary>
    public Tensor Positions(Device device) => tensor(_positions, [_positions.Length], device: device);

    /// <summary>I64 [labels]: the ids that they should predict.</summary>
    public Tensor Targets(Device device) => tensor(_targets, [_targets.Length], device: device);
}
