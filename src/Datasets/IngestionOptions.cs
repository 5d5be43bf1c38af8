using FunctionsPipeline.Images;

namespace FunctionsPipeline.Datasets;

/// <summary>Settings of dataset ingestion, section <c>Ingestion</c>.</summary>
public sealed record IngestionOptions
{
    /// <summary>Target number of rows per unit; a unit of embedded images has at least one row group.</summary>
    public int UnitRows { get; init; } = 250;

    /// <summary>
    /// Number of units that one instance of the app works on at once; further ones wait. host.json runs 16 activities: predictions take
    /// eight of them at most, and two are kept free for progress reports and the base model.
    /// </summary>
    public int UnitsPerInstance { get; init; } = 6;

    /// <summary>Maximum number of instances of the app.</summary>
    public int Instances { get; init; } = 1;

    /// <summary>Number of units that one ingestion has in progress at once; what all instances can work on when null.</summary>
    public int? Parallelism { get; init; }

    internal int UnitsAtOnce => Parallelism ?? UnitsPerInstance * Instances;

    /// <summary>Number of instances that <see cref="UnitsAtOnce"/> is meant for.</summary>
    internal int InstancesForUnits => Math.Max(1, UnitsAtOnce / UnitsPerInstance);

    /// <summary>Number of images that one unit fetches, checks and stores concurrently.</summary>
    public int Concurrency { get; init; } = 16;

    /// <summary>
    /// Memory budget in bytes for the row groups being read, over all units in this process. A unit waits for free budget; one that needs
    /// more than the budget runs alone.
    /// </summary>
    public long RowGroupMemory { get; init; } = 1L << 30;

    /// <summary>Maximum number of concurrent image requests per host, over all units in this process.</summary>
    public int RequestsPerHost { get; init; } = 8;

    /// <summary>Maximum number of image requests started per host and second, over all units in this process; no limit when null.</summary>
    public double? RequestsPerHostPerSecond { get; init; }

    /// <summary>Maximum number of attempts to download one image.</summary>
    public int DownloadAttempts { get; init; } = 3;

    /// <summary>Pause before the second attempt, ±50 % of random jitter; doubles before each further attempt.</summary>
    public TimeSpan RetryDelay { get; init; } = TimeSpan.FromSeconds(0.5);

    /// <summary>Time limit for connecting to a host.</summary>
    public TimeSpan ConnectTimeout { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>Time limit for the start of a response and for each further read of its body.</summary>
    public TimeSpan ReadTimeout { get; init; } = TimeSpan.FromSeconds(15);

    /// <summary>Time limit for downloading one image, attempts and pauses included, waiting for a turn at the host excluded.</summary>
    public TimeSpan DownloadDeadline { get; init; } = TimeSpan.FromSeconds(60);

    /// <summary>
    /// Hosts, as <c>host:port</c>, exempt from the SSRF guard, such as a local hub on this machine or in a private network. Compared with
    /// the host as written in the URL, not with the IP address that it resolves to.
    /// </summary>
    public IReadOnlyList<string> AllowedHosts { get; init; } = [];

    /// <summary>True to reject images whose <c>X-Robots-Tag</c> opts out of model training.</summary>
    public bool HonorOptOut { get; init; } = true;

    /// <summary>Contact for site owners, an http(s) or mailto URL; sent in the User-Agent of each request.</summary>
    public Uri? Contact { get; init; }

    /// <summary>Limits on the size of images.</summary>
    public ImageLimits ImageLimits { get; init; } = new();
}
