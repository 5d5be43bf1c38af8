namespace FunctionsPipeline.Datasets;

/// <summary>Sees to it that all parts of a file are of one version: a server that changes its mind must not lead to a mixture.</summary>
/// <param name="name">Of the file, for the message.</param>
internal sealed class HubFileVersion(string name)
{
    private string? _etag;

    /// <exception cref="HubException">The answer is of another version than the first one was.</exception>
    public void Check(HubAnswer answer)
    {
        if (answer.ETag is not { } etag) return;
        var first = Interlocked.CompareExchange(ref _etag, etag, null) ?? etag;
        if (etag != first)
            throw new HubException(HubError.Unavailable, $"{name} changed while it was read: its ETag was {first} and is now {etag}");
    }
}
