using System.Net;
using System.Net.Http.Headers;
using System.Net.Sockets;
using System.Security.Authentication;
using FunctionsPipeline.Contracts;
using FunctionsPipeline.Datasets.Hub;
using FunctionsPipeline.Images;

namespace FunctionsPipeline.Datasets.Fetching;

/// <summary>
/// Downloads images by URL from the public Internet, with limits on time, size and requests per host. Thread-safe; one instance serves all
/// ingestion in a process, so that the limits per host hold for the process.
/// </summary>
public sealed class ImageDownloader : IDisposable
{
    /// <summary>This program's name in X-Robots-Tag rules.</summary>
    internal const string Robot = "FunctionsPipeline";

    private readonly HttpClient _http;
    private readonly SharedDownloads _downloads;

    /// <param name="options">Limits, opt-out handling and contact.</param>
    /// <param name="time">Clock for all timeouts but the connect timeout, which SocketsHttpHandler measures by the system clock.</param>
    public ImageDownloader(IngestionOptions options, TimeProvider time)
        : this(options, time, new AddressGuard(options.AllowedHosts))
    {
    }

    internal ImageDownloader(IngestionOptions options, TimeProvider time, AddressGuard guard)
    {
        _http = CreateHttpClient(options, guard);
        var throttle = new HostThrottle(options, time);
        _downloads = new SharedDownloads((uri, cancellationToken) =>
            new RetryingDownload(uri, _http, throttle, options, time).RunAsync(cancellationToken));
    }

    /// <summary>
    /// Downloads the bytes at a URL. The Content-Type is not trusted; the caller must check the format. Concurrent calls for the same URL
    /// share one array, which must not be modified.
    /// </summary>
    /// <exception cref="UnreadableImageException">The URL is invalid, the image is missing, empty or too large, the download timed out, or
    /// the publisher opts out.</exception>
    public async Task<byte[]> DownloadAsync(string? url, CancellationToken cancellationToken = default) =>
        await _downloads.GetAsync(ImageUrl.Parse(url), cancellationToken);

    public void Dispose() => _http.Dispose();

    private static HttpClient CreateHttpClient(IngestionOptions options, AddressGuard guard)
    {
        var http = new HttpClient(new SocketsHttpHandler
        {
            ConnectCallback = (context, cancellationToken) => guard.ConnectAsync(context.DnsEndPoint, cancellationToken),
            ConnectTimeout = options.ConnectTimeout,
            // Behind a proxy, the guard would only see the proxy's IP address.
            UseProxy = false,
            // Redirects are followed one by one, as each hop needs a URL check and a turn at its host.
            AllowAutoRedirect = false,
            UseCookies = false,
            // Trace ids (traceparent headers) must not leak to third parties.
            ActivityHeadersPropagator = null,
            // Datasets name thousands of hosts, most of them once; idle connections would pile up.
            PooledConnectionIdleTimeout = TimeSpan.FromSeconds(10),
            PooledConnectionLifetime = TimeSpan.FromMinutes(5),
            // A rejected body is drained to reuse the connection only when little of it is left.
            MaxResponseDrainSize = 64 * 1024,
        })
        {
            Timeout = Timeout.InfiniteTimeSpan,
        };
        http.DefaultRequestHeaders.UserAgent.ParseAdd(HubClient.UserAgent);
        http.DefaultRequestHeaders.UserAgent.Add(new ProductInfoHeaderValue($"({Purpose(options.Contact)})"));
        http.DefaultRequestHeaders.Accept.ParseAdd("image/jpeg, image/png, image/webp, image/gif, image/bmp, */*;q=0.1");
        http.DefaultRequestHeaders.AcceptEncoding.ParseAdd("identity");
        return http;
    }

    private static string Purpose(Uri? contact) => $"fetches images of datasets{(contact is null ? "" : $"; +{contact.AbsoluteUri}")}";
}

/// <summary>Coalesces concurrent downloads of the same URL. A download is cancelled only when all its callers have cancelled.</summary>
internal sealed class SharedDownloads(Func<Uri, CancellationToken, Task<byte[]>> download)
{
    private readonly Dictionary<string, Download> _running = new(StringComparer.Ordinal);

    public async Task<byte[]> GetAsync(Uri uri, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        // The key omits the fragment, which is never sent to servers.
        var key = uri.GetComponents(UriComponents.HttpRequestUrl, UriFormat.UriEscaped);
        Download running;
        lock (_running)
        {
            if (_running.TryGetValue(key, out var there)) running = there;
            else _running.Add(key, running = Start(uri));
            running.Callers++;
        }
        try
        {
            return await running.Bytes.WaitAsync(cancellationToken);
        }
        finally
        {
            bool isUnwanted;
            lock (_running)
            {
                isUnwanted = --running.Callers == 0;
                if (isUnwanted) _running.Remove(key);
            }
            if (isUnwanted) running.Stop.Cancel();
        }
    }

    private Download Start(Uri uri)
    {
        var stop = new CancellationTokenSource();
        return new Download(Task.Run(() => download(uri, stop.Token), CancellationToken.None), stop);
    }

    private sealed class Download(Task<byte[]> bytes, CancellationTokenSource stop)
    {
        public Task<byte[]> Bytes => bytes;

        public CancellationTokenSource Stop => stop;

        public int Callers { get; set; }
    }
}

/// <summary>Download of one image, with retries, redirects and a total deadline.</summary>
internal sealed class RetryingDownload(Uri url, HttpClient http, HostThrottle throttle, IngestionOptions options, TimeProvider time)
{
    private const int MaxRedirects = 3;

    private TimeSpan _left = options.DownloadDeadline;
    private bool _hasBegun;
    private long _received;

    // SocketsHttpHandler enforces ConnectTimeout itself but does not report when it has connected, so that the first timeout covers both.
    private TimeSpan TimeToBegin => options.ConnectTimeout + options.ReadTimeout;

    /// <exception cref="UnreadableImageException">The image cannot be downloaded; the exception gives the reason.</exception>
    public async Task<byte[]> RunAsync(CancellationToken cancellationToken)
    {
        for (var attempt = 1; ; attempt++)
        {
            TransientDownloadException failure;
            try
            {
                return await TryAsync(cancellationToken);
            }
            catch (TransientDownloadException e)
            {
                failure = e;
            }
            var tries = attempt == 1 ? "1 try" : $"{attempt} tries";
            if (attempt >= options.DownloadAttempts)
                throw new UnreadableImageException(failure.Reason, $"{failure.Message} ({tries})", failure);
            var pause = PauseAfter(attempt);
            if (failure.RetryAfter > pause) pause = failure.RetryAfter.Value;
            if (pause >= _left)
            {
                throw new UnreadableImageException(failure.Reason,
                    $"{failure.Message} ({tries}; no time is left for another after a pause of {Seconds(pause)})", failure);
            }
            await Task.Delay(pause, time, cancellationToken);
            _left -= pause;
        }
    }

    private async Task<byte[]> TryAsync(CancellationToken cancellationToken)
    {
        var uri = url;
        for (var redirects = 0; redirects <= MaxRedirects; redirects++)
        {
            var (bytes, location) = await AskAsync(uri, cancellationToken);
            if (bytes is not null) return bytes;
            uri = ImageUrl.Follow(uri, location!);
        }
        throw new UnreadableImageException(Rejection.DownloadFailed,
            $"{url} redirects more than {MaxRedirects} times, at last to {uri}");
    }

    /// <summary>Sends one request; returns the body, or the target of a redirect.</summary>
    private async Task<(byte[]? Bytes, Uri? Location)> AskAsync(Uri uri, CancellationToken cancellationToken)
    {
        using var lease = await throttle.EnterAsync(uri, cancellationToken);
        (_hasBegun, _received) = (false, 0);
        var started = time.GetTimestamp();
        // Two clocks run: the rest of the total deadline, and the time without progress, which restarts with every read of the body.
        using var deadline = new CancellationTokenSource(_left > TimeSpan.Zero ? _left : TimeSpan.Zero, time);
        using var inactivity = new CancellationTokenSource(TimeToBegin, time);
        using var any = CancellationTokenSource.CreateLinkedTokenSource(deadline.Token, inactivity.Token, cancellationToken);
        try
        {
            using var response = await http.GetAsync(uri, HttpCompletionOption.ResponseHeadersRead, any.Token);
            if (response.RedirectsTo() is { } location) return (null, location);
            if (!response.IsSuccessStatusCode) throw Refusal(uri, response, lease);
            Check(uri, response);
            return (await ReadAsync(uri, response, inactivity, any.Token), null);
        }
        catch (OperationCanceledException e) when (!cancellationToken.IsCancellationRequested)
        {
            if (deadline.IsCancellationRequested)
            {
                throw new UnreadableImageException(Rejection.Timeout,
                    $"{uri}: not complete within {Seconds(options.DownloadDeadline)}; {SoFar()}", e);
            }
            if (inactivity.IsCancellationRequested)
            {
                throw new TransientDownloadException(Rejection.Timeout,
                    $"{uri}: nothing for {Seconds(_hasBegun ? options.ReadTimeout : TimeToBegin)}; {SoFar()}", e);
            }
            if (e.InnerException is TimeoutException)
            {
                throw new TransientDownloadException(Rejection.Timeout,
                    $"{uri}: no connection within {Seconds(options.ConnectTimeout)}", e);
            }
            throw;
        }
        catch (Exception e) when (e is HttpRequestException or IOException)
        {
            throw Explain(uri, e);
        }
        finally
        {
            _left -= time.GetElapsedTime(started);
        }
    }

    private void Check(Uri uri, HttpResponseMessage response)
    {
        if (options.HonorOptOut && RobotsTag.OptOut(response.Headers, ImageDownloader.Robot) is { } directive)
        {
            throw new UnreadableImageException(Rejection.OptedOut,
                $"{uri} says {directive}; Ingestion:HonorOptOut decides whether that counts");
        }
        if (response.Content.Headers.ContentLength > options.ImageLimits.MaxBytes)
        {
            throw new UnreadableImageException(Rejection.TooLarge,
                $"{uri} has {response.Content.Headers.ContentLength:N0} bytes; at most {options.ImageLimits.MaxBytes:N0} are read");
        }
    }

    private async Task<byte[]> ReadAsync(Uri uri, HttpResponseMessage response, CancellationTokenSource inactivity,
        CancellationToken cancellationToken)
    {
        _hasBegun = true;
        inactivity.CancelAfter(options.ReadTimeout);
        await using var body = await response.Content.ReadAsStreamAsync(cancellationToken);
        using var bytes = new MemoryStream();
        var buffer = new byte[64 * 1024];
        for (int read; (read = await body.ReadAsync(buffer, cancellationToken)) > 0;)
        {
            inactivity.CancelAfter(options.ReadTimeout);
            bytes.Write(buffer, 0, read);
            _received = bytes.Length;
            if (_received > options.ImageLimits.MaxBytes)
                throw new UnreadableImageException(Rejection.TooLarge, $"{uri} has more than {options.ImageLimits.MaxBytes:N0} bytes");
        }
        return _received > 0 ? bytes.ToArray() : throw new UnreadableImageException(Rejection.Empty, $"{uri} has no bytes");
    }

    private Exception Refusal(Uri uri, HttpResponseMessage response, HostLease lease)
    {
        var detail = $"{uri} answered {(int)response.StatusCode}";
        if (response.StatusCode is HttpStatusCode.NotFound or HttpStatusCode.Gone)
            return new UnreadableImageException(Rejection.NotFound, detail);
        if ((int)response.StatusCode is not (408 or 425 or 429 or 500 or 502 or 503 or 504))
            return new UnreadableImageException(Rejection.DownloadFailed, detail);
        var pause = response.RetryAfter(time);
        // 429 and 503 pause the other requests to the host as well, but for no longer than one download may take.
        if (pause is not null && response.StatusCode is HttpStatusCode.TooManyRequests or HttpStatusCode.ServiceUnavailable)
            lease.HoldBack(pause.Value < options.DownloadDeadline ? pause.Value : options.DownloadDeadline);
        return new TransientDownloadException(Rejection.DownloadFailed, detail) { RetryAfter = pause };
    }

    private Exception Explain(Uri uri, Exception failure) => failure.InnerException switch
    {
        UnreadableImageException blocked => new UnreadableImageException(blocked.Reason, $"{uri}: {blocked.Detail}", failure),
        SocketException { SocketErrorCode: SocketError.HostNotFound or SocketError.NoData } =>
            new UnreadableImageException(Rejection.NotFound, $"{uri}: there is no host {uri.IdnHost}", failure),
        AuthenticationException tls => new UnreadableImageException(Rejection.DownloadFailed, $"{uri}: {tls.Message}", failure),
        _ when IsNoHttp(failure) =>
            new UnreadableImageException(Rejection.DownloadFailed, $"{uri}: {failure.GetBaseException().Message}", failure),
        _ => new TransientDownloadException(Rejection.DownloadFailed,
            $"{uri}: {failure.GetBaseException().Message.TrimEnd('.')}; {SoFar()}", failure),
    };

    private static bool IsNoHttp(Exception failure) =>
        ((failure as HttpRequestException)?.HttpRequestError ?? (failure as HttpIOException)?.HttpRequestError)
            is HttpRequestError.InvalidResponse or HttpRequestError.ConfigurationLimitExceeded;

    // Random jitter of ±50 % spreads the retries of requests that failed together.
    private TimeSpan PauseAfter(int attempt) => options.RetryDelay * Math.Pow(2, attempt - 1) * (0.5 + Random.Shared.NextDouble());

    private string SoFar() => _hasBegun ? $"{_received:N0} bytes had come" : "no answer had begun";

    private static string Seconds(TimeSpan time) => $"{time.TotalSeconds:0.###} seconds";
}

/// <summary>Thrown for a transient failure of a download, which a retry may fix.</summary>
/// <param name="reason">One of <see cref="Rejection"/>, recorded when retries are used up.</param>
/// <param name="detail">Human-readable details of the failure.</param>
internal sealed class TransientDownloadException(string reason, string detail, Exception? cause = null) : Exception(detail, cause)
{
    public string Reason => reason;

    /// <summary>Pause that the server asks for before a retry.</summary>
    public TimeSpan? RetryAfter { get; init; }
}

/// <summary>
/// Parses the header <c>X-Robots-Tag</c>, in which publishers restrict the use of a file: comma-separated directives on any number of
/// header lines; directives after <c>name:</c> apply to the robot of that name only.
/// </summary>
internal static class RobotsTag
{
    private const string Name = "X-Robots-Tag";

    // The directives that img2dataset honours by default, and "none", which search engines treat as "noindex, nofollow".
    private static readonly HashSet<string> OptOuts =
        new(["noai", "noimageai", "noindex", "noimageindex", "none"], StringComparer.OrdinalIgnoreCase);

    private static readonly HashSet<string> WithValue =
        new(["unavailable_after", "max-snippet", "max-image-preview", "max-video-preview"], StringComparer.OrdinalIgnoreCase);

    /// <summary>Finds the directive that opts a file out of model training; null when there is none.</summary>
    /// <param name="headers">Headers of the response with the file.</param>
    /// <param name="robot">Name of this program in the header's rules.</param>
    public static string? OptOut(HttpResponseHeaders headers, string robot) =>
        headers.TryGetValues(Name, out var lines)
            ? lines.Select(line => OptOut(line, robot)).FirstOrDefault(directive => directive is not null)
            : null;

    private static string? OptOut(string line, string robot)
    {
        var isForUs = true;
        foreach (var rule in line.Split(',', StringSplitOptions.TrimEntries))
        {
            var directive = rule;
            if (rule.IndexOf(':') is >= 0 and var colon && rule[..colon].TrimEnd() is var name && !WithValue.Contains(name))
            {
                isForUs = name == "*" || name.Equals(robot, StringComparison.OrdinalIgnoreCase);
                directive = rule[(colon + 1)..].TrimStart();
            }
            if (isForUs && OptOuts.Contains(directive)) return directive;
        }
        return null;
    }
}
