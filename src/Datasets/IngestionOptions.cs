using FunctionsPipeline.Images;

namespace FunctionsPipeline.Datasets;

/// <summary>How datasets are ingested.</summary>
public sealed record IngestionOptions
{
    /// <summary>Rows in a unit; more when a dataset would have more than 400 units.</summary>
    public int UnitRows { get; init; } = 500;

    /// <summary>Images fetched and stored at the same time in one unit.</summary>
    public int Concurrency { get; init; } = 16;

    /// <summary>Tries to download one image.</summary>
    public int DownloadAttempts { get; init; } = 3;

    /// <summary>Time to download one image, with all its tries and pauses.</summary>
    public TimeSpan DownloadDeadline { get; init; } = TimeSpan.FromSeconds(60);

    /// <summary>What an image may be at most.</summary>
    public ImageLimits ImageLimits { get; init; } = ImageLimits.Default;
}
