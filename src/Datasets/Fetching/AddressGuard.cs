using System.Net;
using System.Net.Sockets;
using FunctionsPipeline.Contracts;
using FunctionsPipeline.Images;

namespace FunctionsPipeline.Datasets.Fetching;

/// <summary>Validates the URLs of images. <see cref="AddressGuard"/> checks the IP addresses that they resolve to.</summary>
internal static class ImageUrl
{
    private const int LongestShown = 200;

    /// <exception cref="UnreadableImageException">The URL is missing or not allowed.</exception>
    public static Uri Parse(string? url)
    {
        if (string.IsNullOrWhiteSpace(url)) throw new UnreadableImageException(Rejection.NoImage, "the row has no image");
        if (!Uri.TryCreate(url.Trim(), UriKind.Absolute, out var uri)) throw Bad(url);
        return Check(uri, url);
    }

    /// <summary>Resolves the target of a redirect.</summary>
    /// <exception cref="UnreadableImageException">The target is a URL that is not allowed.</exception>
    public static Uri Follow(Uri from, Uri location)
    {
        var to = new Uri(from, location);
        // As in browsers and HttpClient, a redirect must not downgrade from https to http.
        if (from.Scheme == Uri.UriSchemeHttps && to.Scheme == Uri.UriSchemeHttp)
            throw new UnreadableImageException(Rejection.BadUrl, $"{from} redirects from https to http");
        return Check(to, to.ToString());
    }

    private static Uri Check(Uri uri, string written)
    {
        if (uri.Scheme != Uri.UriSchemeHttp && uri.Scheme != Uri.UriSchemeHttps) throw Bad(written);
        if (uri.UserInfo.Length > 0)
        {
            throw new UnreadableImageException(Rejection.BadUrl,
                $"the URL holds a user name or password for {uri.Authority}; none are sent");
        }
        return uri;
    }

    private static UnreadableImageException Bad(string url) =>
        new(Rejection.BadUrl, $"'{(url.Length <= LongestShown ? url : url[..LongestShown] + '…')}' is not an http or https URL");
}

/// <summary>Resolves a host name to IP addresses.</summary>
internal delegate Task<IPAddress[]> ResolveHost(string host, CancellationToken cancellationToken);

/// <summary>Connects to the first of a host's IP addresses that accepts the connection.</summary>
internal delegate Task<Stream> ConnectToHost(IPAddress[] addresses, int port, CancellationToken cancellationToken);

/// <summary>
/// Connects to public IP addresses only (SSRF guard): a URL in a dataset, or a redirect, cannot reach this machine, its network or its
/// cloud's metadata service. Each name is resolved once and the connection uses the checked IP addresses, which defeats DNS rebinding.
/// </summary>
/// <param name="allowedHosts">Hosts exempt from the check, as in <see cref="IngestionOptions.AllowedHosts"/>.</param>
/// <param name="resolve">DNS resolver; the system's when left out.</param>
/// <param name="connect">Connector; TCP when left out.</param>
internal sealed class AddressGuard(IEnumerable<string> allowedHosts, ResolveHost? resolve = null, ConnectToHost? connect = null)
{
    private readonly HashSet<string> _allowed = new(allowedHosts, StringComparer.OrdinalIgnoreCase);
    private readonly ResolveHost _resolve = resolve ?? Dns.GetHostAddressesAsync;
    private readonly ConnectToHost _connect = connect ?? ConnectByTcpAsync;

    /// <exception cref="UnreadableImageException">None of the host's IP addresses is public.</exception>
    /// <exception cref="SocketException">The host is unknown, or does not accept the connection.</exception>
    public async ValueTask<Stream> ConnectAsync(DnsEndPoint host, CancellationToken cancellationToken)
    {
        // Not every platform can cancel a DNS lookup, so the wait for it is cancelled.
        var addresses = IPAddress.TryParse(host.Host, out var address)
            ? [address]
            : await _resolve(host.Host, cancellationToken).WaitAsync(cancellationToken);
        if (_allowed.Contains(Written(host))) return await _connect(addresses, host.Port, cancellationToken);
        IPAddress[] usable = [.. addresses.Where(PublicAddress.Is)];
        if (usable.Length == 0)
        {
            var named = address is null ? $"{host.Host} is {string.Join(", ", addresses.AsEnumerable())}, which" : host.Host;
            throw new UnreadableImageException(Rejection.BlockedAddress,
                $"{named} is not on the public Internet; if datasets may make this machine talk to it, set Ingestion__AllowedHosts__0, "
                + $"or the next number that is free, to {Written(host)}");
        }
        return await _connect(usable, host.Port, cancellationToken);
    }

    private static string Written(DnsEndPoint host) => host.Host.Contains(':') ? $"[{host.Host}]:{host.Port}" : $"{host.Host}:{host.Port}";

    private static async Task<Stream> ConnectByTcpAsync(IPAddress[] addresses, int port, CancellationToken cancellationToken)
    {
        var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        try
        {
            await socket.ConnectAsync(addresses, port, cancellationToken);
            return new NetworkStream(socket, ownsSocket: true);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }
}

/// <summary>Classifies IP addresses as public by the IANA special-purpose address registries (RFC 6890 and its updates).</summary>
internal static class PublicAddress
{
    private static readonly IPNetwork[] SpecialV4 =
    [
        IPNetwork.Parse("0.0.0.0/8"), // this network
        IPNetwork.Parse("10.0.0.0/8"), // private
        IPNetwork.Parse("100.64.0.0/10"), // carrier-grade NAT
        IPNetwork.Parse("127.0.0.0/8"), // loopback
        IPNetwork.Parse("168.63.129.16/32"), // Azure's own services for its virtual machines
        IPNetwork.Parse("169.254.0.0/16"), // link-local, with the clouds' metadata services
        IPNetwork.Parse("172.16.0.0/12"), // private
        IPNetwork.Parse("192.0.0.0/24"), // protocol assignments
        IPNetwork.Parse("192.0.2.0/24"), // documentation
        IPNetwork.Parse("192.88.99.0/24"), // 6to4 relays
        IPNetwork.Parse("192.168.0.0/16"), // private
        IPNetwork.Parse("198.18.0.0/15"), // benchmarks
        IPNetwork.Parse("198.51.100.0/24"), // documentation
        IPNetwork.Parse("203.0.113.0/24"), // documentation
        IPNetwork.Parse("224.0.0.0/4"), // multicast
        IPNetwork.Parse("240.0.0.0/4"), // reserved, and broadcast
    ];

    // Excludes loopback, link-local, unique local, multicast and IPv4-compatible addresses.
    private static readonly IPNetwork GlobalUnicast = IPNetwork.Parse("2000::/3");

    private static readonly IPNetwork[] SpecialV6 =
    [
        IPNetwork.Parse("2001::/23"), // protocol assignments, with Teredo, which has an IPv4 address inside
        IPNetwork.Parse("2001:db8::/32"), // documentation
        IPNetwork.Parse("2002::/16"), // 6to4, which has an IPv4 address inside
        IPNetwork.Parse("3fff::/20"), // documentation
    ];

    // Well-known NAT64 prefix (RFC 6052), by which IPv6-only networks reach IPv4 hosts: the IPv4 address is in the last four bytes.
    private static readonly IPNetwork Nat64 = IPNetwork.Parse("64:ff9b::/96");

    /// <summary>True for an IP address on the public Internet.</summary>
    public static bool Is(IPAddress address) => address.AddressFamily switch
    {
        AddressFamily.InterNetwork => !SpecialV4.Any(network => network.Contains(address)),
        // Rejected outright: IPNetwork compares an IPv4-mapped address as IPv4, and a dataset has no legitimate use for one.
        AddressFamily.InterNetworkV6 when address.IsIPv4MappedToIPv6 => false,
        AddressFamily.InterNetworkV6 when Nat64.Contains(address) => Is(new IPAddress(address.GetAddressBytes().AsSpan(12))),
        AddressFamily.InterNetworkV6 => GlobalUnicast.Contains(address) && !SpecialV6.Any(network => network.Contains(address)),
        _ => false,
    };
}
