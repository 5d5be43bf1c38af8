namespace FunctionsPipeline.Datasets;

/// <summary>Checks by ETag that all parts of a file belong to one version, as the file may change between range requests.</summary>
/// <param name="name">Name of the file, for the error message.</param>
internal sealed class HubFileVersion(string name)
{
    private string? _etag;

    /// <exception cref="HubException">The response's ETag differs from the first one.</exception>
    public void Check(HubAnswer answer)
    {
        if (answer.ETag is not { } etag) return;
        var first = Interlocked.CompareExchange(ref _etag, etag, null) ?? etag;
        if (etag != first)
            throw new HubException(HubError.Unavailable, $"{name} changed while it was read: its ETag was {first} and is now {etag}");
    }
}
