using FunctionsPipeline.Phi3Vision;
using TorchSharp;
using static TorchSharp.torch;

namespace FunctionsPipeline.FineTuning;

/// <summary>
/// The gradient of a batch's mean loss. On a CPU the two halves of a batch are computed side by side, each with half of the threads: an
/// operator of a small model is too little work to be shared among cores.
/// </summary>
internal sealed class BatchGradient : IDisposable
{
    // And not one for each core: a sum of two does not depend on their order, so that a run can be repeated bit for bit.
    private const int Halves = 2;

    private readonly Phi3VisionModel _model;
    private readonly Device _device;
    private readonly int _threads = get_num_threads();

    /// <param name="parts">Parts that are computed side by side, 1 or 2; what suits the device when left out.</param>
    public BatchGradient(Phi3VisionModel model, Device device, int batchSize, int? parts = null)
    {
        (_model, _device) = (model, device);
        Parts = parts ?? (device.type == DeviceType.CPU && _threads >= Halves && batchSize >= Halves ? Halves : 1);
        PartSize = (batchSize + Parts - 1) / Parts;
        set_num_threads(Math.Max(1, _threads / Parts));
    }

    /// <summary>Parts of a batch.</summary>
    public int Parts { get; }

    /// <summary>Samples in a part; the last one may have fewer.</summary>
    public int PartSize { get; }

    /// <summary>Adds the gradient to the parameters' own.</summary>
    /// <param name="parts">A batch in parts.</param>
    /// <returns>The mean loss of all labels, in nats.</returns>
    public double Add(IReadOnlyList<TrainingBatch> parts)
    {
        var labels = parts.Sum(part => part.Labels);
        var others = parts.Skip(1).Select(part => Task.Run(() => Add(part, labels))).ToArray();
        try
        {
            return Add(parts[0], labels) + others.Sum(other => other.GetAwaiter().GetResult());
        }
        finally
        {
            // None may go on computing with parameters that the caller is about to change or to free.
            foreach (var other in others) Task.WhenAny(other).GetAwaiter().GetResult();
        }
    }

    /// <summary>Gives the threads back.</summary>
    public void Dispose() => set_num_threads(_threads);

    private double Add(TrainingBatch part, int labels)
    {
        using var scope = NewDisposeScope();
        var loss = AnswerLoss.Sum(_model, part, _device) / labels;
        var value = loss.item<float>();
        // A gradient of it would be as useless, and the caller says what to do about it.
        if (float.IsFinite(value)) loss.backward();
        return value;
    }
}
