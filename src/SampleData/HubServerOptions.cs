namespace FunctionsPipeline.SampleData;

/// <summary>What a <see cref="SampleHub"/> serves.</summary>
public sealed record HubServerOptions
{
    /// <summary>Port on 127.0.0.1; 0 for a free one.</summary>
    public int Port { get; init; }

    /// <summary>Rows served in all. Of the synthetic catalog 800 when left out; of a folder of pictures all there are.</summary>
    public int? Rows { get; init; }

    /// <summary>
    /// A folder of pictures, <c>{split}/{label}/*.jpg</c> or <c>{label}/*.jpg</c>, to serve instead of the synthetic catalog.
    /// </summary>
    public string? Images { get; init; }

    /// <summary>A folder of model folders, each served as <c>samples/{folder}</c>.</summary>
    public string? Models { get; init; }

    /// <summary>Decides what is drawn, and which pictures are taken.</summary>
    public int Seed { get; init; }

    /// <summary>Pictures to keep out of every split and to write to <see cref="HeldOut"/>.</summary>
    public int HoldBack { get; init; }

    /// <summary>The folder for the pictures kept out, with <c>truth.jsonl</c> saying what they show.</summary>
    public string? HeldOut { get; init; }

    /// <summary>
    /// Host name of the download links that <c>resolve</c> redirects to, as the real Hub's go to another host; the hub's own when left out.
    /// </summary>
    public string? CdnHost { get; init; }

    /// <summary>Whether <see cref="SampleHub.Requests"/> keeps every request.</summary>
    public bool LogRequests { get; init; }

    /// <summary>When set, only requests with this bearer token may see the repositories.</summary>
    public string? Token { get; init; }

    /// <summary>Answers to spoil, of whatever the hub serves.</summary>
    public IReadOnlyList<FaultRule> Faults { get; init; } = [];
}
