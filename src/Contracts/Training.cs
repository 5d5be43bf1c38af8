namespace FunctionsPipeline.Contracts;

/// <summary>Everything the GPU worker needs to train one run: <c>runs/{run}/request.json</c>.</summary>
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

    /// <summary>Where the shards come from, for the model's card: <c>owner/name@commit</c>.</summary>
    public string? Dataset { get; init; }
}

/// <summary>How far a run is: <c>runs/{run}/heartbeat.json</c>, rewritten every few seconds.</summary>
public sealed record Heartbeat
{
    public required string Run { get; init; }

    public required DateTimeOffset At { get; init; }

    /// <summary>
    /// <c>loading</c>, <c>evaluating-base</c>, <c>caching-features</c>, <c>training</c>, <c>evaluating</c>, <c>testing</c>, <c>saving</c> or
    /// <c>done</c>; <see cref="Preempted"/> when the worker was asked to stop and has left a checkpoint to go on from.
    /// </summary>
    public required string Phase { get; init; }

    /// <summary>The last phase of a worker that was asked to stop.</summary>
    public const string Preempted = "preempted";

    public int Step { get; init; }

    public int Steps { get; init; }

    public double Epoch { get; init; }

    /// <summary>Mean training loss of the last steps (nats per answer token).</summary>
    public double? Loss { get; init; }

    /// <summary>Loss of the last validation (nats per answer token).</summary>
    public double? ValidationLoss { get; init; }

    public double? SamplesPerSecond { get; init; }

    /// <summary>Seconds to the end of the current phase, as far as one can tell.</summary>
    public double? EtaSeconds { get; init; }
}

/// <summary>A line of <c>runs/{run}/metrics.jsonl</c>: a training step, or a validation.</summary>
public sealed record MetricsLine
{
    public required int Step { get; init; }

    public required double Epoch { get; init; }

    /// <summary>Seconds since training began.</summary>
    public required double Seconds { get; init; }

    public double? Loss { get; init; }

    public double? LearningRate { get; init; }

    public double? GradNorm { get; init; }

    /// <summary>Training images, since the last step.</summary>
    public double? ImagesPerSecond { get; init; }

    /// <summary>Answer and prompt tokens, image tokens included, without padding.</summary>
    public double? TokensPerSecond { get; init; }

    /// <summary>Share of the positions that are padding; 0 with packing.</summary>
    public double? PaddingShare { get; init; }

    /// <summary>Model FLOP/s utilization: arithmetic that the step needs, without what is computed again, over the device's peak; where that is known.</summary>
    public double? Mfu { get; init; }

    /// <summary>Resident memory of the process.</summary>
    public long? ResidentBytes { get; init; }

    /// <summary>Memory in use on the GPU, of all processes; null without one.</summary>
    public long? GpuBytes { get; init; }

    public EvaluationMetrics? Validation { get; init; }
}

/// <summary>How good a model is on the validation split.</summary>
public sealed record EvaluationMetrics
{
    /// <summary>Mean cross-entropy of the answer tokens, in nats.</summary>
    public required double Loss { get; init; }

    /// <summary>Samples that <see cref="Loss"/> is measured on.</summary>
    public required int Samples { get; init; }

    /// <summary>Samples whose answers were generated; the figures below are about these. 0 when only the loss was measured.</summary>
    public int Generated { get; init; }

    /// <summary>Share of generated answers that follow the answer format.</summary>
    public double? ParsedShare { get; init; }

    /// <summary>Share of generated answers with the right category.</summary>
    public double? CategoryAccuracy { get; init; }

    /// <summary>What always answering the training split's most frequent category gives.</summary>
    public double? MajorityCategoryAccuracy { get; init; }

    /// <summary>How often each category was answered with each other; an answer without one of the dataset's counts as the empty text.</summary>
    public IReadOnlyList<ConfusionRow>? Confusion { get; init; }

    /// <summary>Share of generated answers with the right title.</summary>
    public double? TitleExactMatch { get; init; }

    /// <summary>Mean F1 of the words of the generated titles.</summary>
    public double? TitleF1 { get; init; }

    /// <summary>Median absolute price error, in the dataset's currency; an answer without a price counts as price 0.</summary>
    public double? MedianPriceError { get; init; }

    /// <summary>Mean absolute price error.</summary>
    public double? MeanPriceError { get; init; }

    /// <summary>Median absolute price error as a percentage of the true price; prices of 0 are left out.</summary>
    public double? MedianPricePercentError { get; init; }

    /// <summary>Share of prices that are off by at most a tenth of the true price.</summary>
    public double? PriceWithinTenPercent { get; init; }

    /// <summary>What always answering the training split's median price gives.</summary>
    public double? BaselineMedianPriceError { get; init; }

    /// <inheritdoc cref="BaselineMedianPriceError"/>
    public double? BaselineMeanPriceError { get; init; }

    /// <inheritdoc cref="BaselineMedianPriceError"/>
    public double? BaselineMedianPricePercentError { get; init; }

    /// <inheritdoc cref="BaselineMedianPriceError"/>
    public double? BaselinePriceWithinTenPercent { get; init; }
}

/// <summary>What was answered to the samples of one category.</summary>
/// <param name="Truth">The category.</param>
/// <param name="Answered">How often each category was answered.</param>
public sealed record ConfusionRow(string Truth, IReadOnlyDictionary<string, int> Answered);

/// <summary>How a run ended: <c>runs/{run}/result.json</c>.</summary>
public sealed record RunResult
{
    public required string Run { get; init; }

    public required bool Succeeded { get; init; }

    /// <summary>Why it failed.</summary>
    public string? Error { get; init; }

    /// <summary>Folder of the fine-tuned model in <see cref="Containers.Models"/>.</summary>
    public string? Model { get; init; }

    public int Steps { get; init; }

    public long TrainingSamples { get; init; }

    public double Seconds { get; init; }

    /// <summary>The base model's figures.</summary>
    public EvaluationMetrics? Base { get; init; }

    /// <summary>The fine-tuned model's figures.</summary>
    public EvaluationMetrics? FineTuned { get; init; }

    /// <summary>The fine-tuned model's figures on the test split, which nothing was chosen by; null when there is none.</summary>
    public EvaluationMetrics? Test { get; init; }

    /// <summary>The step that the model is from, when it is not the last one.</summary>
    public int? BestStep { get; init; }

    /// <summary>Samples of all splits that were left out as too long.</summary>
    public int DroppedSamples { get; init; }
}
