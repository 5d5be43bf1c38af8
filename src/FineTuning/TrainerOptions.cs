namespace FunctionsPipeline.FineTuning;

/// <summary>How a trainer uses its machine; what it learns is decided by the job.</summary>
public sealed record TrainerOptions
{
    /// <summary>Local folder for shards, models and drafts; a sub-folder for each run is removed at its end.</summary>
    public string WorkFolder { get; init; } = Path.Combine(Path.GetTempPath(), "functions-pipeline");

    /// <summary>Memory for images that are ready to use; further ones are decoded again in each pass.</summary>
    public long ImageCacheBytes { get; init; } = 2L << 30;

    /// <summary>Disk for shards; those that are not needed soon go when there are more. What is needed at once may take more.</summary>
    public long ShardCacheBytes { get; init; } = 20L << 30;

    /// <summary>Disk for the features of a frozen vision tower, kept from one run to the next.</summary>
    public long FeatureCacheBytes { get; init; } = 20L << 30;

    /// <summary>Time between two heartbeats.</summary>
    public TimeSpan HeartbeatInterval { get; init; } = TimeSpan.FromSeconds(2);

    /// <summary>Where runs are tracked besides their own documents; nowhere when null.</summary>
    public MlflowOptions? Mlflow { get; init; }
}
