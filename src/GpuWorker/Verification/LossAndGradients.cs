using FunctionsPipeline.Phi3Vision;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace FunctionsPipeline.GpuWorker.Verification;

/// <summary>Computes a batch's loss and the parameters' gradients, which are cleared on disposal.</summary>
internal sealed class LossAndGradients : IDisposable
{
    private readonly Phi3VisionModel _model;

    private LossAndGradients(Phi3VisionModel model, ModelCaseInputs inputs, bool backward)
    {
        _model = model;
        using var gradients = torch.set_grad_enabled(backward);
        Loss = Mean(model, inputs);
        if (backward) Loss.backward();
    }

    /// <summary>Loss F32 [], in nats.</summary>
    public Tensor Loss { get; }

    /// <param name="backward">True to compute gradients as well.</param>
    /// <exception cref="InvalidDataException">The case has no labels.</exception>
    public static LossAndGradients Compute(Phi3VisionModel model, ModelCaseInputs inputs, bool backward) => new(model, inputs, backward);

    /// <summary>Returns the mean cross-entropy over all labels of the batch, in nats; the logits at t predict the label at t + 1.</summary>
    public static Tensor Mean(Phi3VisionModel model, ModelCaseInputs inputs)
    {
        if (inputs is not { Batch: { } batch, Labels: { } labels })
            throw new InvalidDataException("A loss is recorded, but input_ids or labels are missing.");
        using var scope = NewDisposeScope();
        var logits = model.forward(batch);
        var (length, vocabulary) = (logits.shape[1], logits.shape[2]);
        return nn.functional.cross_entropy(
            logits.narrow(1, 0, length - 1).reshape(-1, vocabulary),
            labels.to(logits.device).narrow(1, 1, length - 1).reshape(-1)).MoveToOuterDisposeScope();
    }

    /// <summary>Returns a parameter's gradient; null when no gradient reached the parameter.</summary>
    /// <exception cref="InvalidDataException">The model has no such parameter.</exception>
    public Tensor? Gradient(string parameter) =>
        Parameters().FirstOrDefault(pair => pair.Name == parameter) is { Parameter: { } found }
            ? found.grad
            : throw new InvalidDataException($"A gradient of '{parameter}' is recorded, but the model has no such parameter.");

    /// <summary>Lists the parameters that no gradient reached.</summary>
    public IReadOnlyList<string> WithoutGradient()
    {
        using var scope = NewDisposeScope();
        return [.. Parameters().Where(pair => pair.Parameter.grad is null).Select(pair => pair.Name)];
    }

    /// <summary>Returns the L2 norm of every parameter's gradient; null for parameters without one.</summary>
    public IReadOnlyDictionary<string, double?> Norms()
    {
        using var scope = NewDisposeScope();
        return Parameters().ToDictionary(
            pair => pair.Name,
            pair => (double?)pair.Parameter.grad?.to(ScalarType.Float64).norm().item<double>());
    }

    /// <inheritdoc />
    public void Dispose()
    {
        _model.zero_grad();
        Loss.Dispose();
    }

    private IEnumerable<(string Name, Parameter Parameter)> Parameters() => _model.named_parameters();
}
