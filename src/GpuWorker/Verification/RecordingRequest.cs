namespace FunctionsPipeline.GpuWorker.Verification;

/// <summary>Options of a recording of a model.</summary>
internal sealed record RecordingRequest
{
    /// <summary>Model folder with a tokenizer.</summary>
    public required string Model { get; init; }

    /// <summary>Folder to write to, new or empty.</summary>
    public required string Output { get; init; }

    /// <summary>Complete prompts, one per row; empty to ask the model's own question about each image.</summary>
    public IReadOnlyList<string> Prompts { get; init; } = [];

    /// <summary>Image files, in the order of the prompts and of their image tags.</summary>
    public IReadOnlyList<string> Images { get; init; } = [];

    /// <summary>Answers, one for each prompt, or none.</summary>
    public IReadOnlyList<string> Answers { get; init; } = [];

    /// <summary>True to record the gradients of the answers' loss.</summary>
    public bool Gradients { get; init; }

    /// <summary>True to copy configuration, tokenizer and weights, so that the recording is self-contained.</summary>
    public bool WithWeights { get; init; }

    /// <summary>Maximum number of crops of an image; null for the number that the model was trained with.</summary>
    public int? Crops { get; init; }

    /// <summary>Number of tokens to generate.</summary>
    public int Tokens { get; init; } = 16;
}
