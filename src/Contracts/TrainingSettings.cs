namespace FunctionsPipeline.Contracts;

/// <summary>How a run fine-tunes. Every value has a default; a request names only what differs.</summary>
public sealed record TrainingSettings
{
    /// <summary>Passes over the training split. Training ends at <see cref="Epochs"/> or <see cref="MaxSteps"/>, whichever comes first.</summary>
    public double Epochs { get; init; } = 3;

    /// <summary>Optimizer steps at most; no limit when left out.</summary>
    public int? MaxSteps { get; init; }

    /// <summary>Training time at most, in minutes; the learning rate's decay follows the clock then. No limit when left out.</summary>
    public double? MaxMinutes { get; init; }

    /// <summary>Samples in one optimizer step.</summary>
    public int BatchSize { get; init; } = 4;

    /// <summary>Peak learning rate of AdamW, above 0 and at most 1.</summary>
    public double LearningRate { get; init; } = 1e-4;

    /// <summary>Steps in which the learning rate rises linearly from 0 to <see cref="LearningRate"/>; afterwards it falls to 0 as a cosine.</summary>
    public int WarmupSteps { get; init; } = 20;

    /// <summary>Decoupled weight decay of AdamW.</summary>
    public double WeightDecay { get; init; } = 0.01;

    /// <summary>Gradients are scaled down to this global L2 norm.</summary>
    public double MaxGradNorm { get; init; } = 1.0;

    /// <summary>Image crops of 336×336 at most, 1 to 16; a square image takes 313 tokens at 1 crop, 757 at 4 and 2509 at 16.</summary>
    public int NumCrops { get; init; } = 4;

    /// <summary>Whether training images are mirrored and shifted at random each time they are seen; makes few images go further.</summary>
    public bool AugmentImages { get; init; }

    /// <summary>Seed of shuffling and of augmentation.</summary>
    public int Seed { get; init; } = 42;

    /// <summary>Steps between two validations; about ten validations in a run when left out.</summary>
    public int? EvaluateEvery { get; init; }

    /// <summary>Validation samples whose answers are generated in the final evaluation of the base and of the fine-tuned model; all when left out.</summary>
    public int? EvaluationSamples { get; init; }

    /// <summary>Tokens an answer may have at most when generated.</summary>
    public int MaxAnswerTokens { get; init; } = 64;

    /// <summary>What the model is asked about every image.</summary>
    public string Question { get; init; } = "What is shown in this image?";

    /// <summary>Torch device, <c>cpu</c> or <c>cuda</c>; a GPU is used where there is one when left out.</summary>
    public string? Device { get; init; }
}
