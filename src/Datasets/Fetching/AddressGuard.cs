using System.Net;
using System.Net.Sockets;
using FunctionsPipeline.Contracts;
using FunctionsPipeline.Images;

namespace FunctionsPipeline.Datasets;

/// <summary>Resolves a host name to IP addresses.</summary>
internal delegate Task<IPAddress[]> Resolve(string host, CancellationToken cancellationToken);

/// <summary>Connects to the first of a host's IP addresses that accepts the connection.</summary>
internal delegate Task<Stream> Connect(IPAddress[] addresses, int port, CancellationToken cancellationToken);

/// <summary>
/// Connects to public IP addresses only (SSRF guard): a URL in a dataset, or a redirect, cannot reach this machine, its network or its
/// cloud's metadata service. Each name is resolved once and the connection uses the checked IP addresses, which defeats DNS rebinding.
/// </summary>
/// <param name="allowedHosts">Hosts exempt from the check, as in <see cref="IngestionOptions.AllowedHosts"/>.</param>
/// <param name="resolve">DNS resolver; the system's when left out.</param>
/// <param name="connect">Connector; TCP when left out.</param>
internal sealed class AddressGuard(IEnumerable<string> allowedHosts, Resolve? resolve = null, Connect? connect = null)
{
    private readonly HashSet<string> _allowed = new(allowedHosts, StringComparer.OrdinalIgnoreCase);
    private readonly Resolve _resolve = resolve ?? Dns.GetHostAddressesAsync;
    private readonly Connect _connect = connect ?? ConnectByTcpAsync;

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
            throw new UnreadableImageException(Rejection.BlockedAddress,
                $"{host.Host} is {string.Join(", ", addresses.AsEnumerable())}, which is not on the public Internet; "
                + $"if datasets may make this machine talk to it, set Ingestion:AllowedHosts to {Written(host)}");
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
