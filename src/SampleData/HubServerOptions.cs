namespace FunctionsPipeline.SampleData;

/// <summary>Options of a <see cref="SampleHub"/>.</summary>
public sealed record HubServerOptions
{
    /// <summary>Port on 127.0.0.1; 0 selects a free one.</summary>
    public int Port { get; init; }

    /// <summary>Total number of rows. When left out, 800 of the synthetic catalog, or all images of a folder.</summary>
    public int? Rows { get; init; }

    /// <summary>
    /// Folder of images, <c>{split}/{label}/*.jpg</c> or <c>{label}/*.jpg</c>, to serve instead of the synthetic catalog.
    /// </summary>
    public string? Images { get; init; }

    /// <summary>Folder of model folders, each served as <c>samples/{folder}</c>.</summary>
    public string? Models { get; init; }

    /// <summary>Seed of the drawn images and of the selection from a folder.</summary>
    public int Seed { get; init; }

    /// <summary>Number of images held out of every split and written to <see cref="HeldOut"/>.</summary>
    public int HoldBack { get; init; }

    /// <summary>Folder that held-out images are written to, with their labels in <c>truth.jsonl</c>.</summary>
    public string? HeldOut { get; init; }

    /// <summary>
    /// Host name of the CDN URLs that <c>resolve</c> redirects to, to imitate the real Hub's separate CDN host; the hub's own host when
    /// left out.
    /// </summary>
    public string? CdnHost { get; init; }

    /// <summary>True to record every request in <see cref="SampleHub.Requests"/>.</summary>
    public bool LogRequests { get; init; }

    /// <summary>Bearer token required to access the repositories; no token is required when null.</summary>
    public string? Token { get; init; }

    /// <summary>Rules of the faults to inject, for all paths that the hub serves.</summary>
    public IReadOnlyList<FaultRule> Faults { get; init; } = [];
}
