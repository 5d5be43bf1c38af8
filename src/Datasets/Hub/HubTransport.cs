using System.Net;
using System.Net.Http.Headers;

namespace FunctionsPipeline.Datasets;

/// <summary>Sends requests to the Hub: redirects, retries with growing pauses, a time limit on each try and on the whole.</summary>
internal sealed class HubTransport(HttpClient http, HubOptions options, TimeProvider time)
{
    private const int MaxRedirects = 5;

    /// <summary>
    /// Sends a GET request and reads its answer; reading is part of the try, so a connection that breaks half-way is tried again.
    /// </summary>
    /// <exception cref="HubException">Refused, or no answer in the time there is.</exception>
    public async Task<T> GetAsync<T>(Uri uri, RangeHeaderValue? range, Func<HttpResponseMessage, CancellationToken, Task<T>> read,
        CancellationToken cancellation)
    {
        var started = time.GetTimestamp();
        var delay = options.FirstDelay;
        for (var attempt = 1; ; attempt++)
        {
            HubException failure;
            var pause = delay;
            using var limit = new CancellationTokenSource(options.AttemptTimeout, time);
            using var both = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, cancellation);
            try
            {
                using var response = await FollowAsync(uri, range, both.Token);
                // Any range of an empty file is out of range; that is an answer too.
                var isEmpty = range is not null && response.StatusCode == HttpStatusCode.RequestedRangeNotSatisfiable;
                if (response.IsSuccessStatusCode || isEmpty) return await read(response, both.Token);
                failure = HubException.From(response, uri, options.Token is not null);
                if (!IsWorthAnotherTry(response.StatusCode)) throw failure;
                var after = response.Headers.RetryAfter;
                if ((after?.Delta ?? after?.Date - time.GetUtcNow()) is { } asked && asked > pause) pause = asked;
            }
            catch (Exception e) when (e is HttpRequestException or IOException)
            {
                failure = new HubException(HubError.Unavailable, $"{uri}: {e.Message}", e);
            }
            catch (OperationCanceledException e) when (!cancellation.IsCancellationRequested)
            {
                failure = new HubException(HubError.Unavailable,
                    $"{uri}: no whole answer within {options.AttemptTimeout.TotalSeconds:0} seconds", e);
            }
            if (attempt >= options.Attempts || time.GetElapsedTime(started) + pause > options.Deadline) throw failure;
            await Task.Delay(pause, time, cancellation);
            delay = delay * 2 < options.MaxDelay ? delay * 2 : options.MaxDelay;
        }
    }

    private async Task<HttpResponseMessage> FollowAsync(Uri uri, RangeHeaderValue? range, CancellationToken cancellation)
    {
        for (var redirects = 0; ; redirects++)
        {
            using var request = new HttpRequestMessage(HttpMethod.Get, uri);
            request.Headers.Range = range;
            // Downloads are redirected to signed links on other hosts, which must not see the token.
            if (options.Token is not null && uri.Authority == options.Endpoint.Authority)
                request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", options.Token);
            var response = await http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, cancellation);
            var isRedirect = (int)response.StatusCode is 301 or 302 or 303 or 307 or 308;
            if (!isRedirect || response.Headers.Location is not { } location) return response;
            response.Dispose();
            if (redirects == MaxRedirects) throw new HttpRequestException($"more than {MaxRedirects} redirects");
            uri = new Uri(uri, location);
            if (uri.Scheme is not ("http" or "https")) throw new HttpRequestException($"redirected to {uri.Scheme}:");
        }
    }

    private static bool IsWorthAnotherTry(HttpStatusCode status) =>
        status is HttpStatusCode.RequestTimeout or HttpStatusCode.TooManyRequests || (int)status >= 500;
}
