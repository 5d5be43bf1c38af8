namespace FunctionsPipeline.Datasets;

/// <summary>Reads response headers for the Hub's client and image downloads.</summary>
internal static class ResponseHeaders
{
    /// <summary>Returns the first value of a header; null when the header is missing.</summary>
    public static string? First(this HttpResponseMessage response, string name) =>
        response.Headers.TryGetValues(name, out var values) ? values.FirstOrDefault() : null;

    /// <summary>Returns the target of a redirect; null when the response is not a redirect.</summary>
    public static Uri? RedirectsTo(this HttpResponseMessage response) =>
        (int)response.StatusCode is 301 or 302 or 303 or 307 or 308 ? response.Headers.Location : null;

    /// <summary>
    /// Returns the remaining time of <c>Retry-After</c>, given in seconds or as a date; null when the header is missing or has passed.
    /// </summary>
    public static TimeSpan? RetryAfter(this HttpResponseMessage response, TimeProvider time) =>
        response.Headers.RetryAfter is { } after && (after.Delta ?? after.Date - time.GetUtcNow()) is { } asked && asked > TimeSpan.Zero
            ? asked
            : null;
}
