using System.Diagnostics.CodeAnalysis;
using System.Text.Json;

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

    /// <summary>Time from which the model serves; later than that of every model before it.</summary>
    public required DateTimeOffset PublishedAt { get; init; }

    /// <summary>The model that served until then; null for the first.</summary>
    public string? Before { get; init; }

    /// <summary>Reason of the change: the comparison of a run's end, or the words of whoever activated the model.</summary>
    public string? Reason { get; init; }
}

/// <summary>A change of the serving model: a line of <c>models/history.jsonl</c>.</summary>
/// <param name="Version">The model that serves from then on.</param>
/// <param name="Before">The model that served until then; null for the first.</param>
/// <param name="Reason">Reason of the change: the comparison of a run's end, or the words of whoever activated the model.</param>
public sealed record ModelChange(DateTimeOffset At, string Version, string? Before, string Reason);

/// <summary>Body of the worker's <c>POST /predict</c> for an image in storage.</summary>
/// <param name="Blob">Name in <see cref="Containers.ProductImages"/>.</param>
/// <param name="ETag">ETag of the blob's version to read; the worker answers 412 when the blob has changed since.</param>
public sealed record PredictRequest(string Blob, string ETag);

/// <summary>Status of a prediction.</summary>
public enum PredictionStatus
{
    Predicted,

    /// <summary>The upload cannot be read as an image; <see cref="Prediction.Reason"/> gives the reason.</summary>
    Rejected,

    /// <summary>No answer came in time, or the image broke the worker; a retry may change that.</summary>
    Failed,
}

/// <summary>The worker's answer to an image.</summary>
public record Prediction : ILabels
{
    public required PredictionStatus Status { get; init; }

    /// <summary>One of <see cref="Rejection"/> or <see cref="PredictionFailure"/>; null when predicted.</summary>
    public string? Reason { get; init; }

    /// <summary>Human-readable details of the reason.</summary>
    public string? Detail { get; init; }

    /// <summary>The generated answer, verbatim.</summary>
    public string? Answer { get; init; }

    public string? Title { get; init; }

    public string? Category { get; init; }

    public double? Price { get; init; }

    public FieldValues? Fields { get; init; }

    /// <summary>The model's confidence in the answer and its fields; null unless predicted.</summary>
    public Confidence? Confidence { get; init; }

    /// <summary>Folder in <see cref="Containers.Models"/> of the model that answered.</summary>
    public string? Model { get; init; }

    /// <summary><see cref="CurrentModel.PublishedAt"/> of the model that answered, which orders the answers of different models.</summary>
    public DateTimeOffset? ModelPublishedAt { get; init; }

    /// <summary>Seconds that the worker took.</summary>
    public double Seconds { get; init; }

    public required DateTimeOffset At { get; init; }
}

/// <summary>Piece of an answer while it is generated: the data of an event <see cref="PredictionEvents.Delta"/>.</summary>
/// <param name="Text">Text that follows the pieces before.</param>
public sealed record AnswerDelta(string Text);

/// <summary>Events of an answer that is streamed.</summary>
public static class PredictionEvents
{
    /// <summary>Media type of the stream, and of requests for one in the header <c>Accept</c>.</summary>
    public const string MediaType = "text/event-stream";

    /// <summary>An <see cref="AnswerDelta"/>.</summary>
    public const string Delta = "delta";

    /// <summary>The complete <see cref="Contracts.Prediction"/>: the last event.</summary>
    public const string Prediction = "prediction";

    /// <summary>The <see cref="Contracts.Problem"/> that ended the stream: the last event.</summary>
    public const string Problem = "problem";

    /// <summary>Returns the text of an event.</summary>
    public static string Format<T>(string name, T data) => Format(name, JsonSerializer.Serialize(data, PipelineJson.Compact));

    /// <summary>Returns the text of an event whose data are JSON of one line.</summary>
    public static string Format(string name, string json) => $"event: {name}\ndata: {json}\n\n";
}

/// <summary>
/// Geometric means of token probabilities, from 0 to 1: over the answer's tokens, and over those of each field, null for a missing field.
/// </summary>
public sealed record Confidence(double Answer, double? Title, double? Category, double? Price)
{
    /// <summary>Confidence in the other fields that the answer has; null for none.</summary>
    public IReadOnlyDictionary<string, double>? Fields { get; init; }
}

/// <summary>The prediction for an uploaded image: <c>predictions/{same path}.json</c>.</summary>
public sealed record PredictionDocument : Prediction
{
    public PredictionDocument()
    {
    }

    /// <summary>Creates the document of an image version from the answer to it.</summary>
    [SetsRequiredMembers]
    public PredictionDocument(Prediction prediction, string image, string etag)
        : base(prediction) => (Image, ETag) = (image, etag);

    /// <summary>Name of the image in <see cref="Containers.ProductImages"/>.</summary>
    public required string Image { get; init; }

    public required string ETag { get; init; }

    /// <summary>Number of times that the worker was asked.</summary>
    public int Tries { get; init; }

    /// <summary>Seconds from the upload to the start of the last try.</summary>
    public double QueueSeconds { get; init; }
}

/// <summary>Reasons of a failed prediction.</summary>
public static class PredictionFailure
{
    /// <summary>The worker could not answer for as long as the setting <c>Predictions:Patience</c> says.</summary>
    public const string OutOfPatience = "out-of-patience";

    /// <summary>The worker died or ran out of time over this image, several times.</summary>
    public const string BreaksWorker = "breaks-worker";
}

/// <summary>An uploaded image without a document: its reading is in progress, or has not begun.</summary>
/// <param name="Image">Name in <see cref="Containers.ProductImages"/>.</param>
/// <param name="Detail">Reason for the wait.</param>
public sealed record WaitingImage(string Image, string ETag, DateTimeOffset UploadedAt, string Detail);

/// <summary>The right answer to an uploaded image, as a person gave it: <c>corrections/{same path}.json</c>.</summary>
public sealed record Correction : ILabels
{
    /// <summary>Name of the image in <see cref="Containers.ProductImages"/>.</summary>
    public required string Image { get; init; }

    /// <summary>ETag of the image's version that the person saw.</summary>
    public required string ETag { get; init; }

    public string? Title { get; init; }

    public string? Category { get; init; }

    public double? Price { get; init; }

    public FieldValues? Fields { get; init; }

    public required DateTimeOffset At { get; init; }
}

/// <summary>Body of <c>PUT /api/predictions/{name}/correction</c>: the right answer, of which at least one member is given.</summary>
public sealed record CorrectionRequest : ILabels
{
    public string? Title { get; init; }

    public string? Category { get; init; }

    public double? Price { get; init; }

    /// <summary>Values of the model's other fields, by name.</summary>
    public FieldValues? Fields { get; init; }
}

/// <summary>Response to <c>PUT /api/images/{name}</c>: the image that now waits for its prediction.</summary>
/// <param name="Image">Name in <see cref="Containers.ProductImages"/>.</param>
/// <param name="ETag">ETag of the uploaded version, which its prediction will have.</param>
/// <param name="PredictionUrl">URL of the prediction, once there is one.</param>
public sealed record UploadAccepted(string Image, string ETag, string PredictionUrl);

/// <summary>Counts of uploaded images by their state: the response to <c>GET /api/predictions/counts</c>.</summary>
/// <param name="Predicted">Images with an answer, those of low confidence included.</param>
/// <param name="LowConfidence">Images whose answer has a confidence below the parameter <c>below</c>.</param>
/// <param name="Waiting">Images whose reading is in progress.</param>
/// <param name="IsComplete">False when there are more documents than one request counts: the numbers are lower bounds.</param>
public sealed record UploadCounts(int Predicted, int Rejected, int Failed, int LowConfidence, int Waiting, bool IsComplete);
