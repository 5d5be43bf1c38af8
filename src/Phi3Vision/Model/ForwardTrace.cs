using TorchSharp;
using static TorchSharp.torch;

namespace FunctionsPipeline.Phi3Vision.Model;

/// <summary>
/// Intermediate tensors of a forward pass, for a comparison with another engine. Pass a new trace to <see cref="Phi3VisionModel.Hidden"/>
/// or <see cref="Phi3VisionModel.forward"/>; it owns its tensors, which carry no gradients. B rows, L positions, H the hidden size, d the
/// dimensions of a head; a pack of samples of equal length has one row per sample.
/// </summary>
public sealed class ForwardTrace : IDisposable
{
    private readonly List<Tensor> _layers = [];

    /// <summary>Embeddings of the images, in order: [sum of image tokens, H]. Null in a call without images.</summary>
    public Tensor? ImageEmbeds { get; private set; }

    /// <summary>Text embeddings with the image embeddings in their places: [B, L, H].</summary>
    public Tensor? HiddenAfterEmbed { get; private set; }

    /// <summary>Output of each decoder layer: [B, L, H].</summary>
    public IReadOnlyList<Tensor> HiddenLayers => _layers;

    /// <summary>Hidden states after the final norm: [B, L, H].</summary>
    public Tensor? FinalHidden { get; private set; }

    /// <summary>Cosines of the first row's positions, scaling included: [L, d], the second half a copy of the first.</summary>
    public Tensor? RopeCos { get; private set; }

    /// <summary>Sines of the first row's positions, in the layout of <see cref="RopeCos"/>.</summary>
    public Tensor? RopeSin { get; private set; }

    /// <inheritdoc />
    public void Dispose()
    {
        foreach (var tensor in (Tensor?[])[ImageEmbeds, HiddenAfterEmbed, FinalHidden, RopeCos, RopeSin, .. _layers]) tensor?.Dispose();
    }

    internal void KeepRotary(RotaryTables rotary) => (RopeCos, RopeSin) = (SecondHalfTwice(rotary.Cos), SecondHalfTwice(rotary.Sin));

    internal void KeepImages(Tensor rows) => ImageEmbeds = Kept(rows);

    internal void KeepEmbedded(Tensor hidden) => HiddenAfterEmbed = Kept(hidden);

    internal void KeepLayer(Tensor hidden) => _layers.Add(Kept(hidden));

    internal void KeepFinal(Tensor hidden) => FinalHidden = Kept(hidden);

    // [1 or B, L, 1, d] → [L, d].
    private static Tensor SecondHalfTwice(Tensor table)
    {
        using var scope = NewDisposeScope();
        var half = table.select(0, 0).select(1, 0).chunk(2, -1)[1];
        return torch.cat([half, half], dim: -1).DetachFromDisposeScope();
    }

    private static Tensor Kept(Tensor tensor) => tensor.detach().DetachFromDisposeScope();
}
