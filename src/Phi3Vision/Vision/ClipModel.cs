using static TorchSharp.torch;

namespace FunctionsPipeline.Phi3Vision;

/// <summary>Wrapper of the tower that only adds the name <c>vision_model</c>, as in the published checkpoint.</summary>
internal sealed class ClipModel : nn.Module
{
    private readonly ClipTower vision_model;

    public ClipModel(ClipConfig config, Device device, ScalarType dtype) : base(nameof(ClipModel))
    {
        vision_model = new ClipTower(config, device, dtype);
        RegisterComponents();
    }

    /// <inheritdoc cref="ClipTower.forward" />
    public Tensor forward(Tensor input, ActivationTape? tape) => vision_model.forward(input, tape);
}
