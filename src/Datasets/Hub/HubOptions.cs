namespace FunctionsPipeline.Datasets;

/// <summary>How the Hub is spoken to.</summary>
public sealed record HubOptions
{
    /// <summary>Setting <c>HF_ENDPOINT</c>.</summary>
    public Uri Endpoint { get; init; } = new("https://huggingface.co");

    /// <summary>Setting <c>HF_TOKEN</c>; only ever sent to <see cref="Endpoint"/>'s host.</summary>
    public string? Token { get; init; }

    /// <summary>Tries of one request.</summary>
    public int Attempts { get; init; } = 5;

    /// <summary>Time for one try, answer body included.</summary>
    public TimeSpan AttemptTimeout { get; init; } = TimeSpan.FromSeconds(60);

    /// <summary>Time for one request with all its tries and pauses.</summary>
    public TimeSpan Deadline { get; init; } = TimeSpan.FromMinutes(5);

    /// <summary>Pause after the first failed try; doubles up to <see cref="MaxDelay"/>. A longer <c>Retry-After</c> is honoured.</summary>
    public TimeSpan FirstDelay { get; init; } = TimeSpan.FromSeconds(1);

    public TimeSpan MaxDelay { get; init; } = TimeSpan.FromSeconds(8);
}
