using FunctionsPipeline.Images;

namespace FunctionsPipeline.Datasets;

/// <summary>How datasets are ingested: settings section <c>Ingestion</c>.</summary>
public sealed record IngestionOptions
{
    /// <summary>Rows in a unit; a unit of embedded images is at least a row group.</summary>
    public int UnitRows { get; init; } = 250;

    /// <summary>Images fetched, checked and stored at the same time in one unit.</summary>
    public int Concurrency { get; init; } = 16;

    /// <summary>
    /// Bytes of memory for the row groups in work, over all units in this process; a unit waits until there is room for it, and one that
    /// needs more goes alone.
    /// </summary>
    public long RowGroupMemory { get; init; } = 1L << 30;

    /// <summary>Requests for images to one host at the same time, over all units in this process.</summary>
    public int RequestsPerHost { get; init; } = 8;

    /// <summary>Requests for images that are begun on one host in a second, over all units in this process; no limit when null.</summary>
    public double? RequestsPerHostPerSecond { get; init; }

    /// <summary>Tries to download one image.</summary>
    public int DownloadAttempts { get; init; } = 3;

    /// <summary>Pause before the second try, about; it doubles before each further one.</summary>
    public TimeSpan RetryDelay { get; init; } = TimeSpan.FromSeconds(0.5);

    /// <summary>Time to connect to a host.</summary>
    public TimeSpan ConnectTimeout { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>Time in which an answer must begin, and each next piece of it arrive.</summary>
    public TimeSpan ReadTimeout { get; init; } = TimeSpan.FromSeconds(15);

    /// <summary>Time to download one image, with all its tries and pauses but without waiting for its turn.</summary>
    public TimeSpan DownloadDeadline { get; init; } = TimeSpan.FromSeconds(60);

    /// <summary>
    /// Hosts, as <c>host:port</c>, that images are fetched from although they are on this machine or in a private network: for local hubs.
    /// An address is compared as it is written, not by where it leads.
    /// </summary>
    public IReadOnlyList<string> AllowedHosts { get; init; } = [];

    /// <summary>Whether images are left out whose <c>X-Robots-Tag</c> says that models must not be trained on them.</summary>
    public bool HonorOptOut { get; init; } = true;

    /// <summary>
    /// Where those whose images are fetched find out about it or complain, an http(s) or mailto address: hosts are told with each request.
    /// </summary>
    public Uri? Contact { get; init; }

    /// <summary>What an image may be at most.</summary>
    public ImageLimits ImageLimits { get; init; } = new();
}
