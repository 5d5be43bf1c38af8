namespace FunctionsPipeline.Contracts;

/// <summary>Settings of fine-tuning. Every setting has a default; a request names only the ones that differ.</summary>
public sealed record TrainingSettings
{
    /// <summary>Trains all weights (<c>full</c>), or low-rank adapters beside frozen weights (<c>lora</c>).</summary>
    public FineTuningMethod Method { get; init; } = FineTuningMethod.Full;

    /// <summary>Settings of the adapters, for the method <c>lora</c>.</summary>
    public LoraSettings Lora { get; init; } = new();

    /// <summary>Settings of the CLIP vision tower; by default trained with the method <c>full</c> and frozen with <c>lora</c>.</summary>
    public PartSettings VisionTower { get; init; } = new();

    /// <summary>
    /// Settings of the projection from image features to the decoder; by default trained with the method <c>full</c> and frozen with
    /// <c>lora</c>.
    /// </summary>
    public PartSettings Projector { get; init; } = new();

    /// <summary>
    /// Number of passes over the training split. Training ends at <see cref="Epochs"/>, <see cref="MaxSteps"/> or <see cref="MaxMinutes"/>,
    /// whichever comes first.
    /// </summary>
    public double Epochs { get; init; } = 3;

    /// <summary>Maximum number of optimizer steps; no limit when left out.</summary>
    public int? MaxSteps { get; init; }

    /// <summary>Maximum training time in minutes; when set, the learning rate decays with elapsed time. No limit when left out.</summary>
    public double? MaxMinutes { get; init; }

    /// <summary>Number of samples per optimizer step.</summary>
    public int BatchSize { get; init; } = 4;

    /// <summary>
    /// Number of samples per forward pass; gradients accumulate over the micro-batches of a step. The batch size when left out.
    /// </summary>
    public int? MicroBatchSize { get; init; }

    /// <summary>
    /// True to concatenate samples in one row, with attention restricted to each sample, instead of padding them to the same length.
    /// </summary>
    public bool Packing { get; init; } = true;

    /// <summary>
    /// Maximum number of tokens per sample, image tokens included; longer samples are dropped, not truncated. The model's context length
    /// when left out.
    /// </summary>
    public int? MaxTokens { get; init; }

    /// <summary>Peak learning rate of AdamW, above 0 and at most 1.</summary>
    public double LearningRate { get; init; } = 1e-4;

    /// <summary>
    /// Shape of the learning rate's decay after the warm-up: <c>cosine</c> or <c>linear</c> down to 0, or <c>constant</c>.
    /// </summary>
    public ScheduleShape Schedule { get; init; } = ScheduleShape.Cosine;

    /// <summary>Number of steps in which the learning rate rises linearly from 0 to its peak.</summary>
    public int WarmupSteps { get; init; } = 20;

    /// <summary>Decoupled weight decay of AdamW; norms, biases and embeddings do not decay.</summary>
    public double WeightDecay { get; init; } = 0.01;

    /// <summary>Clips gradients to this global L2 norm.</summary>
    public double MaxGradNorm { get; init; } = 1.0;

    /// <summary>
    /// Data type of the weights, <c>float32</c> or <c>bfloat16</c>; adapters and optimizer state are always float32. When left out,
    /// bfloat16 on a GPU and float32 on a CPU.
    /// </summary>
    public WeightPrecision? Precision { get; init; }

    /// <summary>
    /// True to recompute a layer's activations in the backward pass (gradient checkpointing): about a third more time, a fraction of the
    /// memory.
    /// </summary>
    public bool RecomputeActivations { get; init; }

    /// <summary>
    /// True to cache the features of a frozen vision tower on disk, so that the tower runs once per image. No effect when images are
    /// augmented.
    /// </summary>
    public bool CacheVisionFeatures { get; init; } = true;

    /// <summary>
    /// Maximum number of 336×336 crops per image, 1 to 16; a square image takes 313 tokens with 1 crop, 757 with 4 and 2509 with 16.
    /// </summary>
    public int NumCrops { get; init; } = 4;

    /// <summary>
    /// True to mirror and shift training images at random each time they are seen; reduces overfitting on small datasets.
    /// </summary>
    public bool AugmentImages { get; init; }

    /// <summary>Seed of shuffling, augmentation and the adapters' initial weights.</summary>
    public int Seed { get; init; } = 42;

    /// <summary>Number of steps between two validations; about ten validations per run when left out.</summary>
    public int? EvaluateEvery { get; init; }

    /// <summary>
    /// Number of validation samples whose answers are generated when the base and the fine-tuned model are evaluated; all when left out.
    /// </summary>
    public int? EvaluationSamples { get; init; }

    /// <summary>
    /// Number of validation samples whose answers are stored at every validation, for inspection: <c>runs/{run}/samples</c>.
    /// </summary>
    public int GallerySamples { get; init; } = 8;

    /// <summary>Stops training after this many consecutive validations without a lower loss; never when left out.</summary>
    public int? EarlyStopping { get; init; }

    /// <summary>
    /// True to take the model from the checkpoint with the lowest validation loss rather than from the last step. When left out, true with
    /// early stopping.
    /// </summary>
    public bool? UseBest { get; init; }

    /// <summary>Number of steps between two checkpoints; one at every validation when left out.</summary>
    public int? CheckpointEvery { get; init; }

    /// <summary>
    /// Maximum number of minutes between two checkpoints, from which a run resumes whose machine was taken away without time for another.
    /// </summary>
    public double CheckpointEveryMinutes { get; init; } = 30;

    /// <summary>Number of newest checkpoints kept, in addition to the one with the lowest validation loss.</summary>
    public int KeepCheckpoints { get; init; } = 2;

    /// <summary>
    /// Maximum number of tokens of a generated answer. When left out, 64, and 16 more for each field of the answer template besides title,
    /// category and price.
    /// </summary>
    public int? MaxAnswerTokens { get; init; }

    /// <summary>Question asked about every image.</summary>
    public string Question { get; init; } = "What is shown in this image?";

    /// <summary>
    /// Template of the prompt: <c>&lt;|image_1|&gt;</c> and <c>{question}</c> once each, with the chat format's markers around them.
    /// </summary>
    public string PromptTemplate { get; init; } = "<|user|>\n<|image_1|>{question}<|end|><|assistant|>\n";

    /// <summary>
    /// Template of the answers that the model learns: <c>{title}</c>, <c>{category}</c>, <c>{price}</c> and the other fields of
    /// <c>columns</c>, each at most once, in parts separated by commas; a part whose field is missing is left out. The default template is
    /// followed by the other fields: <c>, Brand: {brand}</c>.
    /// </summary>
    public string AnswerTemplate { get; init; } = Contracts.AnswerTemplate.Default;

    /// <summary>Torch device, <c>cpu</c> or <c>cuda</c>; when left out, a GPU where there is one.</summary>
    public string? Device { get; init; }
}

/// <summary>Method of fine-tuning.</summary>
public enum FineTuningMethod
{
    /// <summary>Trains all weights except those of frozen parts.</summary>
    Full,

    /// <summary>Trains low-rank adapters beside frozen weights (https://arxiv.org/abs/2106.09685).</summary>
    Lora,
}

/// <summary>Shape of the learning rate's decay after the warm-up.</summary>
public enum ScheduleShape
{
    /// <summary>Decays along half a cosine to 0.</summary>
    Cosine,

    /// <summary>Decays linearly to 0.</summary>
    Linear,

    /// <summary>Keeps the peak rate.</summary>
    Constant,
}

/// <summary>Data type of the weights and of computation.</summary>
public enum WeightPrecision
{
    Float32,
    Bfloat16,
}

/// <summary>Low-rank adapters: W·x becomes W·x + scale · B·(A·x).</summary>
public sealed record LoraSettings
{
    /// <summary>Rank of the adapters: the number of rows of A and columns of B.</summary>
    public int Rank { get; init; } = 16;

    /// <summary>Numerator of the scale, which is alpha / rank, or alpha / √rank when rank-stabilized.</summary>
    public double Alpha { get; init; } = 32;

    /// <summary>Dropout probability of an adapter's inputs in training, from 0 to below 1.</summary>
    public double Dropout { get; init; }

    /// <summary>True to scale by alpha / √rank (rsLoRA, https://arxiv.org/abs/2312.03732), which keeps high ranks effective.</summary>
    public bool RankStabilized { get; init; }

    /// <summary>
    /// Linear layers that get an adapter, by suffix of their names, such as <c>qkv_proj</c> or <c>layers.0.mlp.down_proj</c>;
    /// <c>all-linear</c> selects every linear layer inside the decoder blocks.
    /// </summary>
    public IReadOnlyList<string> Targets { get; init; } = [AllLinear];

    /// <summary>True to add adapters to the two layers of the vision projector as well.</summary>
    public bool Projector { get; init; }

    /// <summary>Target that selects every linear layer inside the decoder blocks.</summary>
    public const string AllLinear = "all-linear";
}

/// <summary>Training settings of one part of the model.</summary>
public sealed record PartSettings
{
    /// <summary>True to train the part's weights; the method decides when left out.</summary>
    public bool? Train { get; init; }

    /// <summary>Peak learning rate of the part; the run's when left out.</summary>
    public double? LearningRate { get; init; }
}
