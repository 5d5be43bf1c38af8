namespace FunctionsPipeline.Datasets;

/// <summary>What answers say in their headers, to the Hub's client and to the downloads of images alike.</summary>
internal static class ResponseHeaders
{
    /// <summary>The first value of a header; null when there is none.</summary>
    public static string? First(this HttpResponseMessage response, string name) =>
        response.Headers.TryGetValues(name, out var values) ? values.FirstOrDefault() : null;

    /// <summary>Where a redirect leads; null when the answer is none.</summary>
    public static Uri? RedirectsTo(this HttpResponseMessage response) =>
        (int)response.StatusCode is 301 or 302 or 303 or 307 or 308 ? response.Headers.Location : null;

    /// <summary>The time that is left of <c>Retry-After</c>, whichever of its two forms it has; null when there is none.</summary>
    public static TimeSpan? RetryAfter(this HttpResponseMessage response, TimeProvider time) =>
        response.Headers.RetryAfter is { } after && (after.Delta ?? after.Date - time.GetUtcNow()) is { } asked && asked > TimeSpan.Zero ? asked : null;
}
