using System.Net.Http.Headers;
using FunctionsPipeline.Images;

namespace FunctionsPipeline.Datasets;

/// <summary>
/// Downloads images by URL, within limits of time and size, from the public Internet, as considerately as the options say. One for all
/// ingestion in a process; it may be used from any number of threads.
/// </summary>
public sealed class ImageDownloader : IDisposable
{
    /// <summary>What robots' rules call this program.</summary>
    internal const string Robot = "FunctionsPipeline";

    private readonly HttpClient _http;
    private readonly SharedDownloads _downloads;

    /// <param name="options">Limits and manners.</param>
    /// <param name="time">For everything but the time to connect, which is always the system's.</param>
    public ImageDownloader(IngestionOptions options, TimeProvider time)
        : this(options, time, new AddressGuard(options.AllowedHosts))
    {
    }

    internal ImageDownloader(IngestionOptions options, TimeProvider time, AddressGuard guard)
    {
        _http = CreateHttpClient(options, guard);
        var turns = new HostTurns(options, time);
        _downloads = new SharedDownloads((uri, cancellation) => new ImageDownload(uri, _http, turns, options, time).RunAsync(cancellation));
    }

    /// <summary>
    /// The bytes at an address, whatever they are: what the server says of their type is not trusted, and looking at them is the caller's.
    /// Who asks for the same address at the same time gets the same array, which nobody may change.
    /// </summary>
    /// <exception cref="UnreadableImageException">There is no such address, nothing there, too much there, no answer in time, or no
    /// leave to use it.</exception>
    public async Task<byte[]> DownloadAsync(string? url, CancellationToken cancellation = default) =>
        await _downloads.GetAsync(ImageUrl.Parse(url), cancellation);

    public void Dispose() => _http.Dispose();

    private static HttpClient CreateHttpClient(IngestionOptions options, AddressGuard guard)
    {
        var http = new HttpClient(new SocketsHttpHandler
        {
            ConnectCallback = (context, cancellation) => guard.ConnectAsync(context.DnsEndPoint, cancellation),
            ConnectTimeout = options.ConnectTimeout,
            // A proxy would be asked to connect, and the guard would see nothing but the proxy.
            UseProxy = false,
            // Each hop is checked, and has its turn at its host.
            AllowAutoRedirect = false,
            UseCookies = false,
            // Strangers need no identifiers of this system's traces.
            ActivityHeadersPropagator = null,
            // Datasets name thousands of hosts, most of them once.
            PooledConnectionIdleTimeout = TimeSpan.FromSeconds(10),
            PooledConnectionLifetime = TimeSpan.FromMinutes(5),
            // What is not wanted after all is not read to its end to save a connection, unless there is little of it.
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
