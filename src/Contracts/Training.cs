namespace FunctionsPipeline.Contracts;

/// <summary>Everything the GPU worker needs to train one run: <c>runs/{run}/request.json</c>.</summary>
public sealed record TrainingJob
{
    public required string Run { get; init; }

    /// <summary>WebDataset shards in <see cref="Containers.Datasets"/>, both splits.</summary>
    public required IReadOnlyList<ShardInfo> Shards { get; init; }

    /// <summary>Folder of the base checkpoint in <see cref="Containers.Models"/>.</summary>
    public required string BaseModel { get; init; }

    /// <summary>Folder in <see cref="Containers.Models"/> that the fine-tuned model is written to.</summary>
    public required string OutputModel { get; init; }

    public required TrainingSettings Settings { get; init; }
}

/// <summary>How far a run is: <c>runs/{run}/heartbeat.json</c>, rewritten every few seconds.</summary>
public sealed record Heartbeat
{
    public required string Run { get; init; }

    public required DateTimeOffset At { get; init; }

    /// <summary><c>loading</c>, <c>evaluating-base</c>, <c>training</c>, <c>evaluating</c>, <c>saving</c> or <c>done</c>.</summary>
    public required string Phase { get; init; }

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

    public double? SamplesPerSecond { get; init; }

    /// <summary>Answer and prompt tokens, image tokens included.</summary>
    public double? TokensPerSecond { get; init; }

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

    /// <summary>Share of generated answers with the right title.</summary>
    public double? TitleExactMatch { get; init; }

    /// <summary>Median absolute price error, in the dataset's currency; an answer without a price counts as price 0.</summary>
    public double? MedianPriceError { get; init; }

    /// <summary>What always answering the training split's median price gives.</summary>
    public double? BaselineMedianPriceError { get; init; }
}

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
}
