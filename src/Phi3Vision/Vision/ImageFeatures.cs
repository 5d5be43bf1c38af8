using FunctionsPipeline.Phi3Vision.Config;
using FunctionsPipeline.Phi3Vision.Images;
using FunctionsPipeline.Phi3Vision.Model;
using TorchSharp;
using static TorchSharp.torch;

namespace FunctionsPipeline.Phi3Vision.Vision;

/// <summary>
/// An image's output of the vision tower, in managed memory. <see cref="Phi3VisionModel.Encode"/> computes it; it replaces a
/// <see cref="ProcessedImage"/> as long as the tower's weights do not change.
/// </summary>
/// <param name="Values">Bytes of the elements, [<paramref name="Views"/>, 576, C].</param>
/// <param name="Type">Type of an element.</param>
/// <param name="Views">Number of views that were computed.</param>
/// <param name="Height">Height of the padded image that the crops tile, in pixels, a multiple of 336.</param>
/// <param name="Width">Width of the padded image, in pixels, a multiple of 336.</param>
public sealed record ImageFeatures(byte[] Values, ScalarType Type, int Views, int Height, int Width)
{
    /// <summary>Number of patches of a view, 576.</summary>
    public const int PatchesOfView = ImageEmbedding.Patches;

    /// <summary>Number of positions that the image takes in a prompt.</summary>
    public int Tokens => ProcessedImage.TokensOf(Height / Phi3VisionConfig.ViewSize, Width / Phi3VisionConfig.ViewSize);

    /// <summary>Copies the features to a device, [<see cref="Views"/>, 576, C].</summary>
    public Tensor ToTensor(Device device)
    {
        using var scope = NewDisposeScope();
        var flat = torch.empty(Values.Length / Type.ElementSize(), dtype: Type);
        flat.bytes = Values;
        return flat.view(Views, ImageEmbedding.Patches, -1).to(device).MoveToOuterDisposeScope();
    }
}
