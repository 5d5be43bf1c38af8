using System.Net;
using System.Net.Http.Headers;

namespace FunctionsPipeline.Datasets;

/// <summary>
/// Sends requests to the Hub with redirects, retries with exponential backoff, rate limits, and time limits per attempt and per request.
/// </summary>
internal sealed class HubTransport(HttpClient http, HubOptions options, TimeProvider time, Random random)
{
    private const int MaxRedirects = 5;

    private readonly Lock _drawing = new();
    private readonly HubRateLimits _limits = new(time);
    private readonly string? _token = string.IsNullOrWhiteSpace(options.Token) ? null : options.Token.Trim();

    /// <summary>
    /// Sends a GET request and reads the response; reading is part of the attempt, so that a connection broken half-way is retried.
    /// </summary>
    /// <param name="uri">URL at the endpoint.</param>
    /// <param name="range">Returns the range to request, called for each attempt, so that a retry can request only the missing bytes; null
    /// for the complete file.</param>
    /// <param name="read">Reads a successful response, or a 416 (range beyond the end).</param>
    /// <exception cref="HubException">The Hub refused, or gave no response within the time limits.</exception>
    public async Task<T> GetAsync<T>(Uri uri, Func<RangeHeaderValue?> range, Func<HubAnswer, CancellationToken, Task<T>> read,
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
                var asksForPart = range();
                var (response, linkedETag, isFromHub) = await FollowAsync(uri, asksForPart, both.Token);
                using var _ = response;
                var isBeyondEnd = asksForPart is not null && response.StatusCode == HttpStatusCode.RequestedRangeNotSatisfiable;
                if (response.IsSuccessStatusCode || isBeyondEnd)
                    return await read(new HubAnswer(response, linkedETag, () => limit.CancelAfter(options.AttemptTimeout)), both.Token);
                // A CDN refusal is always retried: presigned URLs expire, and the Hub issues a new one.
                failure = isFromHub
                    ? HubException.From(response, uri, _token is not null)
                    : new HubException(HubError.Unavailable, $"{uri.AbsolutePath} redirects to " +
                        $"{response.RequestMessage?.RequestUri?.Host}, which answered {(int)response.StatusCode}");
                if (isFromHub && !IsWorthAnotherTry(response.StatusCode)) throw failure;
                asked = response.RetryAfter(time);
            }
            catch (Exception e) when (e is HttpRequestException or IOException)
            {
                failure = new HubException(HubError.Unavailable, $"{uri}: {e.Message}", e);
            }
            catch (OperationCanceledException e) when (!cancellationToken.IsCancellationRequested)
            {
                failure = new HubException(HubError.Unavailable, $"{uri}: no whole answer within {patience.TotalSeconds:0} seconds", e);
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
                throw limited == TimeSpan.Zero && failure is not null ? failure : new HubException(HubError.RateLimited,
                    $"{uri.AbsolutePath}: the Hub takes no more requests until {time.GetUtcNow() + wait:u}, which is too long to wait: " +
                    "try again then, or set HF_TOKEN to a token whose account has a higher limit", failure);
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
            if (redirects == MaxRedirects) throw new HubException(HubError.Unavailable, $"{from}: more than {MaxRedirects} redirects");
            var next = new Uri(uri, location);
            if (next.Scheme != Uri.UriSchemeHttps && (next.Scheme != Uri.UriSchemeHttp || uri.Scheme == Uri.UriSchemeHttps))
                throw new HubException(HubError.Unavailable,
                    $"{from} redirects to {next.GetLeftPart(UriPartial.Path)}, which is not safe to follow");
            uri = next;
        }
    }

    private TimeSpan Jitter(int attempt)
    {
        var most = options.FirstDelay * Math.Pow(2, attempt - 1);
        if (most > options.MaxDelay) most = options.MaxDelay;
        // A seeded Random is not thread-safe, unlike Random.Shared.
        lock (_drawing) return most * random.NextDouble();
    }

    private static bool IsWorthAnotherTry(HttpStatusCode status) =>
        status is HttpStatusCode.RequestTimeout or HttpStatusCode.TooManyRequests || (int)status >= 500;
}
