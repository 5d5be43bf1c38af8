using FunctionsPipeline.Phi3Vision;
using static TorchSharp.torch;

namespace FunctionsPipeline.FineTuning;

/// <summary>A batch's images in managed memory, one for each row.</summary>
internal interface IBatchImages
{
    /// <summary>Views that the vision tower sees.</summary>
    int Views { get; }

    /// <summary>The model's input with the images, on a device.</summary>
    ModelInput AddTo(ModelInput input, Device device);
}
