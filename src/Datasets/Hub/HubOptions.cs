namespace FunctionsPipeline.Datasets;

/// <summary>Settings of the connection to the Hub.</summary>
public sealed record HubOptions
{
    /// <summary>
    /// Base URL of the Hub, setting <c>HF_ENDPOINT</c>; a mirror's URL may have a path, as in <c>https://mirror.example/hf</c>.
    /// </summary>
    public Uri Endpoint { get; init; } = new("https://huggingface.co");

    /// <summary>Access token, setting <c>HF_TOKEN</c>; only sent to <see cref="Endpoint"/>'s scheme, host and port.</summary>
    public string? Token { get; init; }

    /// <summary>Maximum number of attempts per request.</summary>
    public int Attempts { get; init; } = 5;

    /// <summary>
    /// Time limit of one attempt, response body included; applies to each part when a server without range support sends a complete file.
    /// </summary>
    public TimeSpan AttemptTimeout { get; init; } = TimeSpan.FromSeconds(60);

    /// <summary>Time limit of one request over all its attempts and pauses, pauses for the rate limit included.</summary>
    public TimeSpan Deadline { get; init; } = TimeSpan.FromMinutes(5);

    /// <summary>
    /// Maximum pause after the first failed attempt; doubles up to <see cref="MaxDelay"/>. The pause is drawn uniformly below that (full
    /// jitter), to spread the retries of requests that failed together. A longer <c>Retry-After</c> is honoured.
    /// </summary>
    public TimeSpan FirstDelay { get; init; } = TimeSpan.FromSeconds(1);

    public TimeSpan MaxDelay { get; init; } = TimeSpan.FromSeconds(8);

    /// <summary>Bytes fetched by one request and stored as one block.</summary>
    public int BlockSize { get; init; } = 8 * 1024 * 1024;

    /// <summary>Number of blocks of one file that are fetched concurrently and held in memory.</summary>
    public int BlocksAtOnce { get; init; } = 4;
}
