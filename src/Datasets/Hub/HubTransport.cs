using System.Collections.Concurrent;
using System.Globalization;
using System.Net;
using System.Net.Http.Headers;

namespace FunctionsPipeline.Datasets.Hub;

/// <summary>
/// Sends requests to the Hub with redirects, retries with exponential backoff, rate limits, and time limits per attempt and per request.
/// </summary>
internal sealed class HubTransport(HttpClient http, HubOptions options, TimeProvider time, Random random)
{
    private const int MaxRedirects = 5;

    private readonly Lock _drawing = new();
    private readonly RateLimits _limits = new(time);
    private readonly string? _token = string.IsNullOrWhiteSpace(options.Token) ? null : options.Token.Trim();

    /// <summary>
    /// Sends a GET request and reads the response; reading is part of the attempt, so that a connection broken half-way is retried.
    /// </summary>
    /// <param name="uri">URL at the endpoint.</param>
    /// <param name="range">Returns the range to request, called for each attempt, so that a retry can request only the missing bytes; null
    /// for the complete file.</param>
    /// <param name="read">Reads a successful response, or a 416 (range beyond the end).</param>
    /// <exception cref="HubException">The Hub refused, or gave no response within the time limits.</exception>
    public async Task<T> GetAsync<T>(Uri uri, Func<RangeHeaderValue?> range, Func<HubResponse, CancellationToken, Task<T>> read,
        CancellationToken cancellationToken)
    {
        var started = time.GetTimestamp();
        HubException? failure = null;
        var pause = TimeSpan.Zero;
        for (var attempt = 1; ; attempt++)
        {
            await PauseAsync(uri, pause, started, failure, cancellationToken);
            var left = options.Deadline - time.GetElapsedTime(started);
            var patience = left < options.AttemptTimeout ? left : options.AttemptTimeout;
            using var limit = new CancellationTokenSource(patience, time);
            using var both = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, cancellationToken);
            TimeSpan? asked = null;
            try
            {
                var requested = range();
                var (response, linkedETag, isFromHub) = await FollowAsync(uri, requested, both.Token);
                using var _ = response;
                var isBeyondEnd = requested is not null && response.StatusCode == HttpStatusCode.RequestedRangeNotSatisfiable;
                if (response.IsSuccessStatusCode || isBeyondEnd)
                    return await read(new HubResponse(response, linkedETag, () => limit.CancelAfter(options.AttemptTimeout)), both.Token);
                // A CDN refusal is always retried: presigned URLs expire, and the Hub issues a new one.
                failure = isFromHub
                    ? HubException.From(response, uri, _token is not null)
                    : new HubException(HubErrorKind.Unavailable, $"{uri.AbsolutePath} redirects to " +
                        $"{response.RequestMessage?.RequestUri?.Host}, which answered {(int)response.StatusCode}");
                if (isFromHub && !IsWorthAnotherTry(response.StatusCode)) throw failure;
                asked = response.RetryAfter(time);
            }
            catch (Exception e) when (e is HttpRequestException or IOException)
            {
                failure = new HubException(HubErrorKind.Unavailable, $"{uri}: {e.Message}", e);
            }
            catch (OperationCanceledException e) when (!cancellationToken.IsCancellationRequested)
            {
                failure = new HubException(HubErrorKind.Unavailable,
                    $"{uri}: no complete response within {patience.TotalSeconds:0} seconds", e);
            }
            if (attempt >= options.Attempts) throw failure;
            pause = Jitter(attempt);
            if (asked > pause) pause = asked.Value;
        }
    }

    /// <summary>Waits between attempts and until the rate limit allows the request.</summary>
    private async Task PauseAsync(Uri uri, TimeSpan pause, long started, HubException? failure, CancellationToken cancellationToken)
    {
        while (true)
        {
            var limited = _limits.WaitFor(uri);
            var wait = limited > pause ? limited : pause;
            if (wait >= options.Deadline - time.GetElapsedTime(started))
            {
                throw limited == TimeSpan.Zero && failure is not null ? failure : new HubException(HubErrorKind.RateLimited,
                    $"{uri.AbsolutePath}: the Hub takes no more requests until {time.GetUtcNow() + wait:u}, which is too long to wait: " +
                    "try again then, or set HF_TOKEN to a token whose account has a higher limit", failure);
            }
            if (wait == TimeSpan.Zero) return;
            await Task.Delay(wait, time, cancellationToken);
            pause = TimeSpan.Zero;
        }
    }

    private async Task<(HttpResponseMessage Response, string? LinkedETag, bool IsFromHub)> FollowAsync(
        Uri uri, RangeHeaderValue? range, CancellationToken cancellationToken)
    {
        string? linkedETag = null;
        for (var redirects = 0; ; redirects++)
        {
            var isHub = uri.Scheme == options.Endpoint.Scheme && uri.Authority == options.Endpoint.Authority;
            using var request = new HttpRequestMessage(HttpMethod.Get, uri);
            request.Headers.Range = range;
            // Downloads are redirected to presigned URLs on other hosts, which must not receive the token.
            if (_token is not null && isHub) request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", _token);
            var response = await http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, cancellationToken);
            if (isHub) _limits.Observe(uri, response);
            if (response.RedirectsTo() is not { } location) return (response, linkedETag, isHub);
            linkedETag ??= response.First("X-Linked-Etag");
            response.Dispose();
            // The query of a presigned URL is a credential and must not appear in messages.
            var from = uri.GetLeftPart(UriPartial.Path);
            if (redirects == MaxRedirects) throw new HubException(HubErrorKind.Unavailable, $"{from}: more than {MaxRedirects} redirects");
            var next = new Uri(uri, location);
            if (next.Scheme != Uri.UriSchemeHttps && (next.Scheme != Uri.UriSchemeHttp || uri.Scheme == Uri.UriSchemeHttps))
            {
                throw new HubException(HubErrorKind.Unavailable,
                    $"{from} redirects to {next.GetLeftPart(UriPartial.Path)}, which is not safe to follow");
            }
            uri = next;
        }
    }

    private TimeSpan Jitter(int attempt)
    {
        // Full jitter: a uniform draw from 0 to min(FirstDelay · 2^(attempt−1), MaxDelay).
        var most = options.FirstDelay * Math.Pow(2, attempt - 1);
        if (most > options.MaxDelay) most = options.MaxDelay;
        // A seeded Random is not thread-safe, unlike Random.Shared.
        lock (_drawing) return most * random.NextDouble();
    }

    private static bool IsWorthAnotherTry(HttpStatusCode status) =>
        status is HttpStatusCode.RequestTimeout or HttpStatusCode.TooManyRequests || (int)status >= 500;
}

/// <summary>A response of the Hub, or of the CDN host that the Hub redirects downloads to.</summary>
/// <param name="message">The response after all redirects.</param>
/// <param name="linkedETag"><c>X-Linked-Etag</c> of the redirect: the Hub's ETag of the file, preferred to the CDN's own.</param>
/// <param name="giveMoreTime">Restarts the timeout of the current attempt.</param>
internal sealed class HubResponse(HttpResponseMessage message, string? linkedETag, Action giveMoreTime)
{
    public HttpResponseMessage Message => message;

    /// <summary>ETag of the file, without quotes; null when the server sends none.</summary>
    public string? ETag { get; } = (linkedETag ?? message.First("X-Linked-Etag") ?? message.First("ETag"))?.Split('"') switch
    {
        // Quoted, possibly with the prefix W/ of a weak ETag.
        [_, var quoted, ..] => quoted,
        [var bare] => bare,
        _ => null,
    };

    /// <summary>True when the requested range starts beyond the end of the file (416); always so for an empty file.</summary>
    public bool IsBeyondEnd => message.StatusCode == HttpStatusCode.RequestedRangeNotSatisfiable;

    /// <summary>True when the body is the requested range; false when it is the complete file.</summary>
    /// <exception cref="IOException">The body is another range than the requested one.</exception>
    public bool IsRange(RangeHeaderValue asked, out long fileLength)
    {
        fileLength = 0;
        if (message.StatusCode != HttpStatusCode.PartialContent) return false;
        var range = asked.Ranges.Single();
        if (message.Content.Headers.ContentRange is not { From: { } from, To: { } to, Length: { } length })
            throw new IOException($"asked for {asked}, and the answer does not say which range it is");
        // A suffix range (bytes=-n) asks for the last n bytes; any range is cut at the end of the file.
        var first = range.From ?? Math.Max(0, length - range.To!.Value);
        var last = range.From is null ? length - 1 : Math.Min(range.To ?? long.MaxValue, length - 1);
        if (from != first || to != last)
            throw new IOException($"asked for {asked}, and the answer holds the bytes {from} to {to} of {length}");
        fileLength = length;
        return true;
    }

    /// <summary>Restarts the timeout; called between the steps in which a long body is read.</summary>
    public void GiveMoreTime() => giveMoreTime();
}

/// <summary>Checks by ETag that all ranges of a file belong to one version, as the file may change between range requests.</summary>
/// <param name="name">Name of the file, for the error message.</param>
internal sealed class ETagCheck(string name)
{
    private string? _etag;

    /// <exception cref="HubException">The response's ETag differs from the first one.</exception>
    public void Check(HubResponse response)
    {
        if (response.ETag is not { } etag) return;
        var first = Interlocked.CompareExchange(ref _etag, etag, null) ?? etag;
        if (etag != first)
            throw new HubException(HubErrorKind.Unavailable, $"{name} changed while it was read: its ETag was {first} and is now {etag}");
    }
}

/// <summary>
/// Tracks the Hub's rate limits, shared by all requests of a client. The Hub has separate limits for API calls, downloads and pages, and
/// sends the remaining quota with each response: <c>RateLimit: "api";r=0;t=55</c> means no more API calls for 55 seconds.
/// </summary>
internal sealed class RateLimits(TimeProvider time)
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
            var fields = limit.Split(';', StringSplitOptions.TrimEntries);
            if (Value(fields, "r=") == 0 && Value(fields, "t=") is { } seconds) Close(fields[0].Trim('"'), TimeSpan.FromSeconds(seconds));
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

    private static int? Value(string[] fields, string name) =>
        fields.FirstOrDefault(field => field.StartsWith(name, StringComparison.Ordinal)) is { } found
        && int.TryParse(found[name.Length..], CultureInfo.InvariantCulture, out var value) ? value : null;
}
