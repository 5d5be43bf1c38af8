namespace FunctionsPipeline.Contracts;

/// <summary>How a run fine-tunes. Every value has a default; a request names only what differs.</summary>
public sealed record TrainingSettings
{
    /// <summary>What is trained: all weights (<c>full</c>), or low-rank adapters beside frozen ones (<c>lora</c>).</summary>
    public FineTuningMethod Method { get; init; } = FineTuningMethod.Full;

    /// <summary>The adapters, when the method is <c>lora</c>.</summary>
    public LoraSettings Lora { get; init; } = new();

    /// <summary>The CLIP tower. Trained with the method <c>full</c>, frozen with <c>lora</c>, unless it says otherwise.</summary>
    public PartSettings VisionTower { get; init; } = new();

    /// <summary>The projection from image features to the decoder. Trained with the method <c>full</c>, frozen with <c>lora</c>, unless it says otherwise.</summary>
    public PartSettings Projector { get; init; } = new();

    /// <summary>Passes over the training split. Training ends at <see cref="Epochs"/>, <see cref="MaxSteps"/> or <see cref="MaxMinutes"/>, whichever comes first.</summary>
    public double Epochs { get; init; } = 3;

    /// <summary>Optimizer steps at most; no limit when left out.</summary>
    public int? MaxSteps { get; init; }

    /// <summary>Training time at most, in minutes; the learning rate's decay follows the clock then. No limit when left out.</summary>
    public double? MaxMinutes { get; init; }

    /// <summary>Samples in one optimizer step.</summary>
    public int BatchSize { get; init; } = 4;

    /// <summary>Samples that are computed at once; the gradients of a step's micro-batches are added up. The whole batch when left out.</summary>
    public int? MicroBatchSize { get; init; }

    /// <summary>Whether samples are laid end to end in one row, each seeing only itself, in place of padding them to the same length.</summary>
    public bool Packing { get; init; } = true;

    /// <summary>Tokens of a sample at most, image tokens included; a longer one is left out as a whole. What the model has room for when left out.</summary>
    public int? MaxTokens { get; init; }

    /// <summary>Peak learning rate of AdamW, above 0 and at most 1.</summary>
    public double LearningRate { get; init; } = 1e-4;

    /// <summary>What the learning rate does after the warm-up: <c>cosine</c> or <c>linear</c> down to 0, or <c>constant</c>.</summary>
    public ScheduleShape Schedule { get; init; } = ScheduleShape.Cosine;

    /// <summary>Steps in which the learning rate rises linearly from 0 to its peak.</summary>
    public int WarmupSteps { get; init; } = 20;

    /// <summary>Decoupled weight decay of AdamW; norms, biases and embeddings do not decay.</summary>
    public double WeightDecay { get; init; } = 0.01;

    /// <summary>Gradients are scaled down to this global L2 norm.</summary>
    public double MaxGradNorm { get; init; } = 1.0;

    /// <summary>Type of the weights, <c>float32</c> or <c>bfloat16</c>; adapters and the optimizer's state are float32 either way. bfloat16 on a GPU and float32 on a CPU when left out.</summary>
    public WeightPrecision? Precision { get; init; }

    /// <summary>Whether activations inside a layer are computed again in the backward pass, which takes a third more time and a fraction of the memory.</summary>
    public bool RecomputeActivations { get; init; }

    /// <summary>Whether the features of a frozen vision tower are kept on disk, so that it sees every image once. Has no effect where images are augmented.</summary>
    public bool CacheVisionFeatures { get; init; } = true;

    /// <summary>Image crops of 336×336 at most, 1 to 16; a square image takes 313 tokens at 1 crop, 757 at 4 and 2509 at 16.</summary>
    public int NumCrops { get; init; } = 4;

    /// <summary>Whether training images are mirrored and shifted at random each time they are seen; makes few images go further.</summary>
    public bool AugmentImages { get; init; }

    /// <summary>Seed of shuffling, of augmentation and of the adapters' first weights.</summary>
    public int Seed { get; init; } = 42;

    /// <summary>Steps between two validations; about ten validations in a run when left out.</summary>
    public int? EvaluateEvery { get; init; }

    /// <summary>Validation samples whose answers are generated in the evaluation of the base and of the fine-tuned model; all when left out.</summary>
    public int? EvaluationSamples { get; init; }

    /// <summary>Validation samples whose answers are kept at every validation, to be looked at: <c>runs/{run}/samples</c>.</summary>
    public int GallerySamples { get; init; } = 8;

    /// <summary>Training stops after this many validations in a row without a lower loss; never when left out.</summary>
    public int? EarlyStopping { get; init; }

    /// <summary>Whether the model becomes what it was at the lowest validation loss, rather than at the end. With early stopping when left out.</summary>
    public bool? UseBest { get; init; }

    /// <summary>Steps between two checkpoints; one at every validation when left out.</summary>
    public int? CheckpointEvery { get; init; }

    /// <summary>Checkpoints that are kept: the newest ones, and besides them the one with the lowest validation loss.</summary>
    public int KeepCheckpoints { get; init; } = 2;

    /// <summary>Tokens an answer may have at most when generated.</summary>
    public int MaxAnswerTokens { get; init; } = 64;

    /// <summary>What the model is asked about every image.</summary>
    public string Question { get; init; } = "What is shown in this image?";

    /// <summary>What stands around the question: <c>&lt;|image_1|&gt;</c> and <c>{question}</c> once each, and the chat format's markers.</summary>
    public string PromptTemplate { get; init; } = "<|user|>\n<|image_1|>{question}<|end|><|assistant|>\n";

    /// <summary>What the model is taught to say: <c>{title}</c>, <c>{category}</c> and <c>{price}</c>, each at most once, in parts between commas; a part whose field is missing is left out.</summary>
    public string AnswerTemplate { get; init; } = Contracts.AnswerTemplate.Default;

    /// <summary>Torch device, <c>cpu</c> or <c>cuda</c>; a GPU is used where there is one when left out.</summary>
    public string? Device { get; init; }
}

/// <summary>What fine-tuning changes.</summary>
public enum FineTuningMethod
{
    /// <summary>All weights, but for the parts that are frozen.</summary>
    Full,

    /// <summary>Low-rank adapters beside frozen weights (https://arxiv.org/abs/2106.09685).</summary>
    Lora,
}

/// <summary>What the learning rate does after the warm-up.</summary>
public enum ScheduleShape
{
    /// <summary>Half a cosine down to 0.</summary>
    Cosine,

    /// <summary>A straight line down to 0.</summary>
    Linear,

    /// <summary>Nothing.</summary>
    Constant,
}

/// <summary>The type that weights are held and computed in.</summary>
public enum WeightPrecision
{
    Float32,
    Bfloat16,
}

/// <summary>Low-rank adapters: W·x becomes W·x + scale · B·(A·x).</summary>
public sealed record LoraSettings
{
    /// <summary>Rows of A and columns of B.</summary>
    public int Rank { get; init; } = 16;

    /// <summary>The scale is alpha / rank, or alpha / √rank when rank-stabilized.</summary>
    public double Alpha { get; init; } = 32;

    /// <summary>Share of an adapter's inputs that is zeroed at random in training, from 0 to below 1.</summary>
    public double Dropout { get; init; }

    /// <summary>Whether the scale is alpha / √rank (rsLoRA, https://arxiv.org/abs/2312.03732), for high ranks.</summary>
    public bool RankStabilized { get; init; }

    /// <summary>Linear layers that get an adapter, by the end of their names such as <c>qkv_proj</c> or <c>layers.0.mlp.down_proj</c>; <c>all-linear</c> is every one of the decoder's layers.</summary>
    public IReadOnlyList<string> Targets { get; init; } = [AllLinear];

    /// <summary>Whether the two layers of the vision projector get adapters too.</summary>
    public bool Projector { get; init; }

    /// <summary>The target that stands for every linear layer of the decoder's layers.</summary>
    public const string AllLinear = "all-linear";
}

/// <summary>How a part of the model is trained.</summary>
public sealed record PartSettings
{
    /// <summary>Whether its weights are trained; the method decides when left out.</summary>
    public bool? Train { get; init; }

    /// <summary>Its peak learning rate; that of the run when left out.</summary>
    public double? LearningRate { get; init; }
}
