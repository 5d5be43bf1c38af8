namespace FunctionsPipeline.Contracts;

/// <summary>Which model serves: <c>models/current.json</c>, moved by ETag.</summary>
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
/// <param name="ETag">The version that is meant; 412 when the blob has changed since.</param>
public sealed record PredictRequest(string Blob, string ETag);

/// <summary>What a prediction document says of the image.</summary>
public enum PredictionStatus
{
    Predicted,

    /// <summary>The upload cannot be read as an image; <see cref="PredictionDocument.Reason"/> says why.</summary>
    Rejected,
}

/// <summary>What the model reads in an uploaded image: <c>predictions/{same path}.json</c>.</summary>
public sealed record PredictionDocument
{
    /// <summary>Name of the image in <see cref="Containers.ProductImages"/>.</summary>
    public required string Image { get; init; }

    public required string ETag { get; init; }

    public required PredictionStatus Status { get; init; }

    /// <summary>One of <see cref="Rejection"/> when rejected.</summary>
    public string? Reason { get; init; }

    /// <summary>What exactly is wrong with the image, for a person.</summary>
    public string? Detail { get; init; }

    /// <summary>The model's answer, word for word.</summary>
    public string? Answer { get; init; }

    public string? Title { get; init; }

    public string? Category { get; init; }

    public double? Price { get; init; }

    /// <summary>Folder of the model that answered in <see cref="Containers.Models"/>.</summary>
    public string? Model { get; init; }

    /// <summary>Time the worker took.</summary>
    public double Seconds { get; init; }

    public required DateTimeOffset At { get; init; }
}
