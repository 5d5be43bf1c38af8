using System.Collections.Concurrent;
using System.Globalization;
using System.Net;

namespace FunctionsPipeline.Datasets;

/// <summary>
/// Tracks the Hub's rate limits, shared by all requests of a client. The Hub has separate limits for API calls, downloads and pages, and
/// sends the remaining quota with each response: <c>RateLimit: "api";r=0;t=55</c> means no more API calls for 55 seconds.
/// </summary>
internal sealed class HubRateLimits(TimeProvider time)
{
    private readonly ConcurrentDictionary<string, DateTimeOffset> _freeAt = new();

    /// <summary>Computes the time until requests of this kind are allowed again; zero when they are.</summary>
    public TimeSpan WaitFor(Uri uri)
    {
        var wait = _freeAt.GetValueOrDefault(PolicyOf(uri)) - time.GetUtcNow();
        return wait > TimeSpan.Zero ? wait : TimeSpan.Zero;
    }

    /// <summary>Records the rate limits that a response reports.</summary>
    public void Observe(Uri uri, HttpResponseMessage response)
    {
        if (response.StatusCode == HttpStatusCode.TooManyRequests && response.RetryAfter(time) is { } pause) Close(PolicyOf(uri), pause);
        if (response.First("RateLimit") is not { } limits) return;
        foreach (var limit in limits.Split(','))
        {
            var parts = limit.Split(';', StringSplitOptions.TrimEntries);
            if (Value(parts, "r=") == 0 && Value(parts, "t=") is { } seconds) Close(parts[0].Trim('"'), TimeSpan.FromSeconds(seconds));
        }
    }

    private void Close(string policy, TimeSpan pause)
    {
        var freeAt = time.GetUtcNow() + pause;
        _freeAt.AddOrUpdate(policy, freeAt, (_, known) => known > freeAt ? known : freeAt);
    }

    private static string PolicyOf(Uri uri) =>
        uri.AbsolutePath.Contains("/resolve/", StringComparison.Ordinal) ? "resolvers"
        : uri.AbsolutePath.Contains("/api/", StringComparison.Ordinal) ? "api"
        : "pages";

    private static int? Value(string[] parts, string name) =>
        parts.FirstOrDefault(p => p.StartsWith(name, StringComparison.Ordinal)) is { } part
        && int.TryParse(part[name.Length..], CultureInfo.InvariantCulture, out var value) ? value : null;
}
