using TorchSharp;
using static TorchSharp.torch;

namespace FunctionsPipeline.Phi3Vision;

/// <summary>
/// An image as the vision tower leaves it, in managed memory: <see cref="Phi3VisionModel.Encode"/> makes it, and it takes the place of a
/// <see cref="ProcessedImage"/> as long as the tower does not change.
/// </summary>
/// <param name="Values">The elements' bytes, [<paramref name="Views"/>, 576, C].</param>
/// <param name="Type">Type of an element.</param>
/// <param name="Views">Views that were computed.</param>
/// <param name="Height">Height of the padded picture that the crops tile, pixels, a multiple of 336.</param>
/// <param name="Width">Its width, pixels, a multiple of 336.</param>
public sealed record ImageFeatures(byte[] Values, ScalarType Type, int Views, int Height, int Width)
{
    /// <summary>Positions that the image takes in a prompt.</summary>
    public int Tokens => ProcessedImage.TokensOf(Height / Phi3VisionConfig.ViewSize, Width / Phi3VisionConfig.ViewSize);

    /// <summary>[<see cref="Views"/>, 576, C].</summary>
    public Tensor ToTensor(Device device)
    {
        using var scope = NewDisposeScope();
        var flat = torch.empty(Values.Length / Type.ElementSize(), dtype: Type);
        flat.bytes = Values;
        return flat.view(Views, ImageEmbedding.Patches, -1).to(device).MoveToOuterDisposeScope();
    }
}
