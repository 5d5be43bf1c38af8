namespace FunctionsPipeline.Contracts;

/// <summary>The serving model: <c>models/current.json</c>, replaced on an ETag condition.</summary>
public sealed record CurrentModel
{
    /// <summary>Folder of the model in <see cref="Containers.Models"/>.</summary>
    public required string Version { get; init; }

    public required string Run { get; init; }

    public required double ValidationLoss { get; init; }

    /// <summary>The dataset view that <see cref="ValidationLoss"/> was measured on; losses on different views are not compared.</summary>
    public required string Dataset { get; init; }

    public required DateTimeOffset PublishedAt { get; init; }
}

/// <summary>Body of the worker's <c>POST /predict</c>.</summary>
/// <param name="Blob">Name in <see cref="Containers.ProductImages"/>.</param>
/// <param name="ETag">ETag of the blob's version to read; the worker answers 412 when the blob has changed since.</param>
public sealed record PredictRequest(string Blob, string ETag);

/// <summary>Status of a prediction document.</summary>
public enum PredictionStatus
{
    Predicted,

    /// <summary>The upload cannot be read as an image; <see cref="PredictionDocument.Reason"/> gives the reason.</summary>
    Rejected,
}

/// <summary>The model's prediction for an uploaded image: <c>predictions/{same path}.json</c>.</summary>
public sealed record PredictionDocument
{
    /// <summary>Name of the image in <see cref="Containers.ProductImages"/>.</summary>
    public required string Image { get; init; }

    public required string ETag { get; init; }

    public required PredictionStatus Status { get; init; }

    /// <summary>One of <see cref="Rejection"/>; null unless rejected.</summary>
    public string? Reason { get; init; }

    /// <summary>Human-readable details of the rejection.</summary>
    public string? Detail { get; init; }

    /// <summary>The generated answer, verbatim.</summary>
    public string? Answer { get; init; }

    public string? Title { get; init; }

    public string? Category { get; init; }

    public double? Price { get; init; }

    /// <summary>Folder in <see cref="Containers.Models"/> of the model that answered.</summary>
    public string? Model { get; init; }

    /// <summary>Seconds that the worker took.</summary>
    public double Seconds { get; init; }

    public required DateTimeOffset At { get; init; }
}
