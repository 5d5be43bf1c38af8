using System.Net.Http.Headers;
using FunctionsPipeline.Images;

namespace FunctionsPipeline.Datasets;

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
        var turns = new HostTurns(options, time);
        _downloads = new SharedDownloads((uri, cancellationToken) => new ImageDownload(uri, _http, turns, options, time).RunAsync(cancellationToken));
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
