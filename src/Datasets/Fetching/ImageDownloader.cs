using System.Net;
using System.Net.Http.Headers;
using FunctionsPipeline.Contracts;
using FunctionsPipeline.Images;

namespace FunctionsPipeline.Datasets;

/// <summary>
/// Downloads images by URL: a size cap, a few tries, and one deadline over all of it, so that a server that trickles cannot hold up a unit.
/// </summary>
public sealed class ImageDownloader(HttpClient http, IngestionOptions options, TimeProvider time)
{
    /// <summary>A client that says who it is and follows redirects; the deadline is the options'.</summary>
    public static HttpClient CreateHttpClient()
    {
        var handler = new SocketsHttpHandler { MaxAutomaticRedirections = 5, PooledConnectionLifetime = TimeSpan.FromMinutes(5) };
        var http = new HttpClient(handler) { Timeout = Timeout.InfiniteTimeSpan };
        http.DefaultRequestHeaders.UserAgent.ParseAdd(HubClient.UserAgent);
        http.DefaultRequestHeaders.Accept.ParseAdd("image/jpeg, image/png, image/webp, */*;q=0.1");
        return http;
    }

    /// <summary>The bytes at an address.</summary>
    /// <exception cref="UnreadableImageException">There is no such address, nothing there, too much there, or no answer in time.
    /// </exception>
    public async Task<byte[]> DownloadAsync(string? url, CancellationToken cancellation = default)
    {
        if (string.IsNullOrWhiteSpace(url)) throw new UnreadableImageException(Rejection.NoImage, "the row has no image");
        if (!Uri.TryCreate(url.Trim(), UriKind.Absolute, out var uri) || uri.Scheme is not ("http" or "https"))
            throw new UnreadableImageException(Rejection.BadUrl, $"'{url}' is not an http or https address");
        using var limit = new CancellationTokenSource(options.DownloadDeadline, time);
        using var both = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, cancellation);
        try
        {
            for (var attempt = 1; ; attempt++)
            {
                var (bytes, failure, pause) = await TryAsync(uri, both.Token);
                if (bytes is not null) return bytes;
                if (attempt >= options.DownloadAttempts)
                    throw new UnreadableImageException(Rejection.DownloadFailed, $"{uri}: {failure}, {attempt} times");
                await Task.Delay(pause ?? TimeSpan.FromMilliseconds(500) * Math.Pow(2, attempt - 1), time, both.Token);
            }
        }
        catch (OperationCanceledException e) when (!cancellation.IsCancellationRequested)
        {
            throw new UnreadableImageException(Rejection.DownloadFailed,
                $"{uri}: not there within {options.DownloadDeadline.TotalSeconds:0} seconds", e);
        }
    }

    private async Task<(byte[]? Bytes, string Failure, TimeSpan? Pause)> TryAsync(Uri uri, CancellationToken cancellation)
    {
        try
        {
            using var response = await http.GetAsync(uri, HttpCompletionOption.ResponseHeadersRead, cancellation);
            if (response.IsSuccessStatusCode) return (await ReadAsync(uri, response, cancellation), "", null);
            if (response.StatusCode is HttpStatusCode.NotFound or HttpStatusCode.Gone)
                throw new UnreadableImageException(Rejection.NotFound, $"{uri} answered {(int)response.StatusCode}");
            if (response.StatusCode is not (HttpStatusCode.RequestTimeout or HttpStatusCode.TooManyRequests)
                && (int)response.StatusCode < 500)
                throw new UnreadableImageException(Rejection.DownloadFailed, $"{uri} answered {(int)response.StatusCode}");
            return (null, $"answered {(int)response.StatusCode}", Pause(response.Headers.RetryAfter));
        }
        catch (Exception e) when (e is HttpRequestException or IOException)
        {
            return (null, e.Message, null);
        }
    }

    private async Task<byte[]> ReadAsync(Uri uri, HttpResponseMessage response, CancellationToken cancellation)
    {
        var most = options.ImageLimits.MaxBytes;
        if (response.Content.Headers.ContentLength > most)
            throw new UnreadableImageException(Rejection.TooLarge,
                $"{uri} has {response.Content.Headers.ContentLength:N0} bytes; at most {most:N0} are read");
        await using var body = await response.Content.ReadAsStreamAsync(cancellation);
        using var bytes = new MemoryStream();
        var buffer = new byte[64 * 1024];
        for (int read; (read = await body.ReadAsync(buffer, cancellation)) > 0;)
        {
            bytes.Write(buffer, 0, read);
            if (bytes.Length > most) throw new UnreadableImageException(Rejection.TooLarge, $"{uri} has more than {most:N0} bytes");
        }
        return bytes.ToArray();
    }

    private TimeSpan? Pause(RetryConditionHeaderValue? after) =>
        (after?.Delta ?? after?.Date - time.GetUtcNow()) is { } asked && asked > TimeSpan.Zero ? asked : null;
}
