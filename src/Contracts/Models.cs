namespace FunctionsPipeline.Contracts;

/// <summary>A complete model in <see cref="Containers.Models"/>, with the figures that its run measured.</summary>
public sealed record ModelView
{
    /// <summary>Folder of the model in <see cref="Containers.Models"/>.</summary>
    public required string Version { get; init; }

    /// <summary>True for the serving model.</summary>
    public required bool Serves { get; init; }

    /// <summary>Time at which the model became complete.</summary>
    public required DateTimeOffset CompletedAt { get; init; }

    /// <summary>The run that trained the model; null for a base model.</summary>
    public string? Run { get; init; }

    /// <summary>Folder of the base model that the run fine-tuned.</summary>
    public string? BaseModel { get; init; }

    /// <summary>Source of the training data: <c>owner/name@commit</c>.</summary>
    public string? Dataset { get; init; }

    /// <summary>Metrics of the base model on the validation split.</summary>
    public EvaluationMetrics? Base { get; init; }

    /// <summary>Metrics of the model on the validation split.</summary>
    public EvaluationMetrics? FineTuned { get; init; }

    /// <summary>Metrics of the model on the test split; null without a test split.</summary>
    public EvaluationMetrics? Test { get; init; }

    /// <summary>The model card in Markdown: <c>README.md</c> of the model's folder.</summary>
    public string? Card { get; init; }
}

/// <summary>Complete models, newest first: the response to <c>GET /api/models</c>.</summary>
public sealed record ModelList(IReadOnlyList<ModelView> Models);

/// <summary>Changes of the serving model, newest first: the response to <c>GET /api/models/history</c>.</summary>
public sealed record ModelChangeList(IReadOnlyList<ModelChange> Changes);

/// <summary>Body of <c>POST /api/models/{version}/activate</c>.</summary>
public sealed record ActivationRequest
{
    /// <summary>Reason of the change, for the history.</summary>
    public string Reason { get; init; } = "";
}
