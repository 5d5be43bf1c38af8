namespace FunctionsPipeline.Datasets;

/// <summary>How the Hub is spoken to.</summary>
public sealed record HubOptions
{
    /// <summary>Setting <c>HF_ENDPOINT</c>; a mirror may lie below a path, as in <c>https://mirror.example/hf</c>.</summary>
    public Uri Endpoint { get; init; } = new("https://huggingface.co");

    /// <summary>Setting <c>HF_TOKEN</c>; only ever sent to <see cref="Endpoint"/>'s scheme, host and port.</summary>
    public string? Token { get; init; }

    /// <summary>Tries of one request.</summary>
    public int Attempts { get; init; } = 5;

    /// <summary>
    /// Time for one try, answer body included; from a server that does not know ranges and sends a whole file, time for each part of it.
    /// </summary>
    public TimeSpan AttemptTimeout { get; init; } = TimeSpan.FromSeconds(60);

    /// <summary>Time for one request with all its tries and pauses, those for a limit of requests among them.</summary>
    public TimeSpan Deadline { get; init; } = TimeSpan.FromMinutes(5);

    /// <summary>
    /// The longest pause after the first failed try; doubles up to <see cref="MaxDelay"/>. How much of it is waited is drawn each time, so
    /// that requests that failed together do not come again together. A longer <c>Retry-After</c> is honoured.
    /// </summary>
    public TimeSpan FirstDelay { get; init; } = TimeSpan.FromSeconds(1);

    public TimeSpan MaxDelay { get; init; } = TimeSpan.FromSeconds(8);

    /// <summary>Bytes of a file that are fetched by one request and stored as one block.</summary>
    public int BlockSize { get; init; } = 8 * 1024 * 1024;

    /// <summary>Blocks of one file that are fetched, and held in memory, at the same time.</summary>
    public int BlocksAtOnce { get; init; } = 4;
}
