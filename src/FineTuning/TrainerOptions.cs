namespace FunctionsPipeline.FineTuning;

/// <summary>Use of the machine by a trainer; the training itself is set by the job.</summary>
public sealed record TrainerOptions
{
    /// <summary>Local folder for shards, models and checkpoint drafts; a run's sub-folder is removed when the run ends.</summary>
    public string WorkFolder { get; init; } = Path.Combine(Path.GetTempPath(), "functions-pipeline");

    /// <summary>Maximum memory for prepared images, in bytes; images beyond it are decoded again in each epoch.</summary>
    public long ImageCacheBytes { get; init; } = 2L << 30;

    /// <summary>
    /// Disk space for shards, in bytes; beyond it the least recently used ones are removed. Shards in use at the same time may take more.
    /// </summary>
    public long ShardCacheBytes { get; init; } = 20L << 30;

    /// <summary>Maximum disk space for the features of a frozen vision tower, in bytes, kept across runs.</summary>
    public long FeatureCacheBytes { get; init; } = 20L << 30;

    /// <summary>Interval between two heartbeats.</summary>
    public TimeSpan HeartbeatInterval { get; init; } = TimeSpan.FromSeconds(2);

    /// <summary>MLflow server that runs are tracked on besides their own documents; null for none.</summary>
    public MlflowOptions? Mlflow { get; init; }
}
