using FunctionsPipeline.Phi3Vision;
using static TorchSharp.torch;

namespace FunctionsPipeline.GpuWorker.Verification;

/// <summary>What is fed to a model for a recording. B rows, L tokens.</summary>
internal sealed record ModelCaseInputs
{
    /// <summary>Prompts and answers: forward and backward. Positions are 0 to L - 1 in every row, padding included.</summary>
    public ModelInput? Batch { get; init; }

    /// <summary>I64 [B, L]: -100 where there is no loss.</summary>
    public Tensor? Labels { get; init; }

    /// <summary>Prompts alone, padded on the left: generation.</summary>
    public ModelInput? Prompts { get; init; }

    /// <summary>A prompt that grows past the original positions while it is continued.</summary>
    public ModelInput? Crossing { get; init; }
}
