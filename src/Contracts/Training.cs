using System.Text.Json.Serialization;

namespace FunctionsPipeline.Contracts;

/// <summary>Input of the GPU worker for one run: <c>runs/{run}/request.json</c>.</summary>
public sealed record TrainingJob
{
    public required string Run { get; init; }

    /// <summary>WebDataset shards in <see cref="Containers.Datasets"/>, of all splits.</summary>
    public required IReadOnlyList<ShardInfo> Shards { get; init; }

    /// <summary>Folder of the base checkpoint in <see cref="Containers.Models"/>.</summary>
    public required string BaseModel { get; init; }

    /// <summary>Folder in <see cref="Containers.Models"/> that the fine-tuned model is written to.</summary>
    public required string OutputModel { get; init; }

    public required TrainingSettings Settings { get; init; }

    /// <summary>Fields that the answer template may name; title, category and price when null.</summary>
    public IReadOnlyList<FieldDefinition>? Fields { get; init; }

    /// <summary>Source of the shards, cited in the model card: <c>owner/name@commit</c>.</summary>
    public string? Dataset { get; init; }

    /// <summary>The sweep that the run belongs to, by which trackers group runs; null for none.</summary>
    public string? Sweep { get; init; }

    /// <summary>The dataset views of the validation shards; validation losses on different views are not compared.</summary>
    [JsonIgnore]
    public string ValidationViews => string.Join('+', Shards.Where(shard => shard.Split == Splits.Validation)
        .Select(shard => DatasetBlobs.ViewOf(shard.Blob)).Distinct());
}

/// <summary>Progress of training: <c>runs/{run}/heartbeat.json</c>, rewritten every few seconds.</summary>
public sealed record Heartbeat
{
    public required string Run { get; init; }

    public required DateTimeOffset At { get; init; }

    /// <summary>
    /// <c>loading</c>, <c>evaluating-base</c>, <c>caching-features</c>, <c>training</c>, <c>evaluating</c>, <c>testing</c>, <c>saving</c>
    /// or <c>done</c>; <see cref="Preempted"/> when the worker was asked to stop and has written a checkpoint to resume from.
    /// </summary>
    public required string Phase { get; init; }

    /// <summary>Phase of the optimizer steps, with the validations between them.</summary>
    public const string Training = "training";

    /// <summary>Last phase of a worker that was asked to stop.</summary>
    public const string Preempted = "preempted";

    public int Step { get; init; }

    public int Steps { get; init; }

    public double Epoch { get; init; }

    /// <summary>Mean training loss of recent steps, in nats per answer token.</summary>
    public double? Loss { get; init; }

    /// <summary>Loss of the last validation, in nats per answer token.</summary>
    public double? ValidationLoss { get; init; }

    public double? SamplesPerSecond { get; init; }

    /// <summary>Estimated seconds to the end of the current phase; null when there is no estimate.</summary>
    public double? EtaSeconds { get; init; }

    /// <summary>The trackers that the run's metrics go to besides storage.</summary>
    public IReadOnlyList<TrackerStatus>? Trackers { get; init; }
}

/// <summary>State of the tracking of a run by one tracker.</summary>
/// <param name="Name"><c>TensorBoard</c>, <c>MLflow</c> or <c>Weights &amp; Biases</c>.</param>
/// <param name="Url">Page of the run there; null while unknown, or for a tracker without pages.</param>
/// <param name="Problem">Reason why nothing gets there at the moment; null while all is well.</param>
public sealed record TrackerStatus(string Name, string? Url, string? Problem);

/// <summary>A line of <c>runs/{run}/metrics.jsonl</c>: a training step, a validation, or a checkpoint.</summary>
public sealed record MetricsLine
{
    public required int Step { get; init; }

    public required double Epoch { get; init; }

    /// <summary>Seconds since training began.</summary>
    public required double Seconds { get; init; }

    public double? Loss { get; init; }

    public double? LearningRate { get; init; }

    public double? GradNorm { get; init; }

    /// <summary>Training images per second since the previous line.</summary>
    public double? ImagesPerSecond { get; init; }

    /// <summary>Prompt and answer tokens per second, image tokens included, padding excluded.</summary>
    public double? TokensPerSecond { get; init; }

    /// <summary>Share of token positions that are padding; 0 with packing.</summary>
    public double? PaddingShare { get; init; }

    /// <summary>
    /// Model FLOP/s utilization: FLOP/s of the step, recomputed activations excluded, over the device's peak; null when the peak is
    /// unknown.
    /// </summary>
    public double? Mfu { get; init; }

    /// <summary>Resident memory of the process, in bytes.</summary>
    public long? ResidentBytes { get; init; }

    /// <summary>GPU memory in use by all processes, in bytes; null without a GPU.</summary>
    public long? GpuBytes { get; init; }

    /// <summary>Share of time in which the GPU computed, as the driver measures it, from 0 to 1; null without a GPU.</summary>
    public double? GpuUtilization { get; init; }

    /// <summary>True for the line of a checkpoint of the state after this step, when its upload begins; null otherwise.</summary>
    public bool? Checkpoint { get; init; }

    public EvaluationMetrics? Validation { get; init; }
}

/// <summary>Quality metrics of a model on one split.</summary>
public sealed record EvaluationMetrics
{
    /// <summary>Mean cross-entropy of the answer tokens, in nats.</summary>
    public required double Loss { get; init; }

    /// <summary>Number of samples that <see cref="Loss"/> is measured on.</summary>
    public required int Samples { get; init; }

    /// <summary>
    /// Number of samples whose answers were generated, on which the metrics below are computed; 0 when only the loss was measured.
    /// </summary>
    public int Generated { get; init; }

    /// <summary>Share of generated answers that parse by the answer template.</summary>
    public double? ParsedShare { get; init; }

    /// <summary>Share of generated answers with the correct category.</summary>
    public double? CategoryAccuracy { get; init; }

    /// <summary>Baseline: accuracy of always answering the training split's most frequent category.</summary>
    public double? MajorityCategoryAccuracy { get; init; }

    /// <summary>Confusion matrix of the categories; an answer without a category of the dataset counts as the empty text.</summary>
    public IReadOnlyList<ConfusionRow>? Confusion { get; init; }

    /// <summary>Share of generated answers with exactly the correct title.</summary>
    public double? TitleExactMatch { get; init; }

    /// <summary>Mean word-level F1 of the generated titles.</summary>
    public double? TitleF1 { get; init; }

    /// <summary>Median absolute price error, in the dataset's currency; an answer without a price counts as price 0.</summary>
    public double? MedianPriceError { get; init; }

    /// <summary>Mean absolute price error.</summary>
    public double? MeanPriceError { get; init; }

    /// <summary>Median absolute price error as a percentage of the true price; prices of 0 are left out.</summary>
    public double? MedianPricePercentError { get; init; }

    /// <summary>Share of prices within ten percent of the true price.</summary>
    public double? PriceWithinTenPercent { get; init; }

    /// <summary>Baseline: the same metric for always answering the training split's median price.</summary>
    public double? BaselineMedianPriceError { get; init; }

    /// <inheritdoc cref="BaselineMedianPriceError"/>
    public double? BaselineMeanPriceError { get; init; }

    /// <inheritdoc cref="BaselineMedianPriceError"/>
    public double? BaselineMedianPricePercentError { get; init; }

    /// <inheritdoc cref="BaselineMedianPriceError"/>
    public double? BaselinePriceWithinTenPercent { get; init; }

    /// <summary>Metrics of the other fields of the answer template, by name; null for none.</summary>
    public IReadOnlyDictionary<string, FieldMetrics>? Fields { get; init; }
}

/// <summary>Metrics of one field, on the generated samples whose truth has it.</summary>
/// <param name="Samples">Number of samples whose truth has the field.</param>
/// <param name="Answered">Figures of the model.</param>
public sealed record FieldMetrics(FieldKind Kind, string? Unit, int Samples, FieldFigures Answered)
{
    /// <summary>
    /// Figures of always answering the training split's most frequent category or list, or its median number; null for free text.
    /// </summary>
    public FieldFigures? Baseline { get; init; }

    /// <summary>Confusion matrix of a category; null for other kinds.</summary>
    public IReadOnlyList<ConfusionRow>? Confusion { get; init; }
}

/// <summary>Figures of the answers of one field; those of other kinds are null.</summary>
public sealed record FieldFigures
{
    /// <summary>Share of exactly correct answers: of texts, of categories (their accuracy), and of lists in any order.</summary>
    public double? ExactMatch { get; init; }

    /// <summary>Mean F1: of the words of texts, and of the items of lists.</summary>
    public double? F1 { get; init; }

    /// <summary>Median absolute error of numbers, in the field's unit; an answer without a number counts as 0.</summary>
    public double? MedianError { get; init; }

    /// <summary>Mean absolute error of numbers.</summary>
    public double? MeanError { get; init; }

    /// <summary>Median absolute error as a percentage of the true number; numbers of 0 are left out.</summary>
    public double? MedianPercentError { get; init; }

    /// <summary>Share of numbers within ten percent of the true number.</summary>
    public double? WithinTenPercent { get; init; }
}

/// <summary>Row of the confusion matrix: the answers to the samples of one category.</summary>
/// <param name="Truth">The true category.</param>
/// <param name="Answered">Number of answers by answered category.</param>
public sealed record ConfusionRow(string Truth, IReadOnlyDictionary<string, int> Answered);

/// <summary>Result of a training run: <c>runs/{run}/result.json</c>.</summary>
public sealed record TrainingResult
{
    public required string Run { get; init; }

    public required bool Succeeded { get; init; }

    /// <summary>Reason for the failure; null when the run succeeded.</summary>
    public string? Error { get; init; }

    /// <summary>The early end of a run that its sweep has pruned: such a run has no model. Null for every other run.</summary>
    public PrunedTraining? Pruned { get; init; }

    /// <summary>Folder of the fine-tuned model in <see cref="Containers.Models"/>.</summary>
    public string? Model { get; init; }

    public int Steps { get; init; }

    public long TrainingSamples { get; init; }

    public double Seconds { get; init; }

    /// <summary>Metrics of the base model.</summary>
    public EvaluationMetrics? Base { get; init; }

    /// <summary>Metrics of the fine-tuned model.</summary>
    public EvaluationMetrics? FineTuned { get; init; }

    /// <summary>
    /// Metrics of the fine-tuned model on the test split, which no setting or checkpoint was chosen by; null without a test split.
    /// </summary>
    public EvaluationMetrics? Test { get; init; }

    /// <summary>Step of the checkpoint that became the model; null when it is the last step.</summary>
    public int? BestStep { get; init; }

    /// <summary>Number of samples of all splits left out because they exceed the token limit.</summary>
    public int DroppedSamples { get; init; }

    /// <summary>The trackers that the run's metrics went to besides storage.</summary>
    public IReadOnlyList<TrackerStatus>? Trackers { get; init; }
}

/// <summary>Early end of a run that was worse than others of its sweep.</summary>
/// <param name="Step">Step of the last validation.</param>
/// <param name="ValidationLoss">Lowest validation loss.</param>
public sealed record PrunedTraining(string Reason, int Step, double ValidationLoss);

/// <summary>
/// Answers of a run's model to a few validation samples over the course of training: <c>runs/{run}/samples/samples.json</c>.
/// </summary>
public sealed record SampleGallery(IReadOnlyList<GallerySample> Samples)
{
    /// <summary>Name of the document under <see cref="RunBlobs.Samples"/>.</summary>
    public const string FileName = "samples.json";
}

/// <summary>A sample that is answered at every validation.</summary>
/// <param name="Image">Name of the sample's original image under <see cref="RunBlobs.Samples"/>.</param>
/// <param name="Truth">The expected answer.</param>
/// <param name="Answers">The generated answers, in the order of the steps.</param>
public sealed record GallerySample(string Image, string Truth, IReadOnlyList<GalleryAnswer> Answers);

/// <summary>Answer of the model after a training step; step 0 is the base model.</summary>
/// <param name="Confidence">The model's confidence in the answer; null in galleries of earlier versions.</param>
public sealed record GalleryAnswer(int Step, string Answer, Confidence? Confidence = null);

/// <summary>
/// Answer to one sample of an evaluation: a line of <c>runs/{run}/predictions.jsonl</c>. The base model's answers come first.
/// </summary>
/// <param name="Model">One of <see cref="BaseModel"/> and <see cref="FineTunedModel"/>.</param>
/// <param name="Split">One of <see cref="Splits"/>.</param>
/// <param name="Truth">The sample's labels, with its key and its image's SHA-256.</param>
/// <param name="Answer">The generated answer, verbatim.</param>
/// <param name="Confidence">The model's confidence in the answer and its fields.</param>
public sealed record EvaluatedAnswer(string Model, string Split, SampleLabels Truth, string Answer, Confidence Confidence) : ILabels
{
    /// <summary>The base model, before training.</summary>
    public const string BaseModel = "base";

    /// <summary>The model that the run made.</summary>
    public const string FineTunedModel = "fine-tuned";

    /// <summary>Answered title; null when the answer has none or does not parse.</summary>
    public string? Title { get; init; }

    /// <inheritdoc cref="Title"/>
    public string? Category { get; init; }

    /// <inheritdoc cref="Title"/>
    public double? Price { get; init; }

    /// <inheritdoc cref="Title"/>
    public FieldValues? Fields { get; init; }
}

/// <summary>A page of a run's evaluated answers: the response to <c>GET /api/runs/{run}/answers</c>.</summary>
/// <param name="Continuation">Token that requests the next page; null on the last page.</param>
public sealed record AnswerPage(IReadOnlyList<EvaluatedAnswer> Answers, string? Continuation);
