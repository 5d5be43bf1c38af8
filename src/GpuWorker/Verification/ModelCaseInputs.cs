using FunctionsPipeline.Phi3Vision;
using static TorchSharp.torch;

namespace FunctionsPipeline.GpuWorker.Verification;

/// <summary>Inputs of the model in a recording, with B rows and L tokens.</summary>
internal sealed record ModelCaseInputs
{
    /// <summary>Prompts and answers, for forward and backward. Positions are 0 to L - 1 in every row, padding included.</summary>
    public ModelInput? Batch { get; init; }

    /// <summary>Labels I64 [B, L]: -100 at positions without loss.</summary>
    public Tensor? Labels { get; init; }

    /// <summary>Prompts alone, padded on the left, for generation.</summary>
    public ModelInput? Prompts { get; init; }

    /// <summary>Prompt whose continuation crosses the end of the original positions.</summary>
    public ModelInput? Crossing { get; init; }
}
