namespace FunctionsPipeline.GpuWorker.Verification;

/// <summary>What to record of a model.</summary>
internal sealed record RecordingRequest
{
    /// <summary>A model folder with a tokenizer.</summary>
    public required string Model { get; init; }

    /// <summary>Folder to write, new or empty.</summary>
    public required string Output { get; init; }

    /// <summary>Whole prompts, one a row; empty for the model's own question about each image.</summary>
    public IReadOnlyList<string> Prompts { get; init; } = [];

    /// <summary>Files of the images, in the order of the prompts and of their tags.</summary>
    public IReadOnlyList<string> Images { get; init; } = [];

    /// <summary>One for each prompt, or none.</summary>
    public IReadOnlyList<string> Answers { get; init; } = [];

    /// <summary>Record the gradients of the answers' loss.</summary>
    public bool Gradients { get; init; }

    /// <summary>Copy configuration, tokenizer and weights, so that the recording stands alone.</summary>
    public bool WithWeights { get; init; }

    /// <summary>Crops of an image at most; null for what the model was trained with.</summary>
    public int? Crops { get; init; }

    /// <summary>Tokens to generate.</summary>
    public int Tokens { get; init; } = 16;
}
