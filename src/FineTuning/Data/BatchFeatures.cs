using FunctionsPipeline.Phi3Vision;
using static TorchSharp.torch;

namespace FunctionsPipeline.FineTuning;

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
        ImageSizes = tensor(images.SelectMany(image => new long[] { image.Height, image.Width }).ToArray(), [images.Count, 2], device: device),
    };
}
