using FunctionsPipeline.Phi3Vision;
using static TorchSharp.torch;

namespace FunctionsPipeline.FineTuning;

/// <summary>Images of a batch in managed memory, one per row.</summary>
internal interface IBatchImages
{
    /// <summary>Number of views that the vision tower processes.</summary>
    int Views { get; }

    /// <summary>Returns the model's input with the images added, on a device.</summary>
    ModelInput AddTo(ModelInput input, Device device);
}
