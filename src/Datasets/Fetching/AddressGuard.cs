using System.Net;
using System.Net.Sockets;
using FunctionsPipeline.Contracts;
using FunctionsPipeline.Images;

namespace FunctionsPipeline.Datasets;

/// <summary>Finds a host's addresses.</summary>
internal delegate Task<IPAddress[]> Resolve(string host, CancellationToken cancellation);

/// <summary>Connects to the first of a host's addresses that answers.</summary>
internal delegate Task<Stream> Connect(IPAddress[] addresses, int port, CancellationToken cancellation);

/// <summary>
/// Connects to hosts of the public Internet only, so that an address in a dataset, or a redirect, cannot make this machine talk to itself,
/// to its network or to its cloud. A name is looked up once and the connection goes to what was checked: a name that leads elsewhere the
/// next time (DNS rebinding) gains nothing.
/// </summary>
/// <param name="allowedHosts">As <see cref="IngestionOptions.AllowedHosts"/>.</param>
/// <param name="resolve">The system's when left out.</param>
/// <param name="connect">By TCP when left out.</param>
internal sealed class AddressGuard(IEnumerable<string> allowedHosts, Resolve? resolve = null, Connect? connect = null)
{
    private readonly HashSet<string> _allowed = new(allowedHosts, StringComparer.OrdinalIgnoreCase);
    private readonly Resolve _resolve = resolve ?? Dns.GetHostAddressesAsync;
    private readonly Connect _connect = connect ?? ConnectByTcpAsync;

    /// <exception cref="UnreadableImageException">No address of the host is public.</exception>
    /// <exception cref="SocketException">The host is unknown, or does not accept the connection.</exception>
    public async ValueTask<Stream> ConnectAsync(DnsEndPoint host, CancellationToken cancellation)
    {
        // Looking up a name cannot be stopped everywhere, but waiting for it can.
        var addresses = IPAddress.TryParse(host.Host, out var address)
            ? [address]
            : await _resolve(host.Host, cancellation).WaitAsync(cancellation);
        if (_allowed.Contains(Written(host))) return await _connect(addresses, host.Port, cancellation);
        IPAddress[] usable = [.. addresses.Where(PublicAddress.Is)];
        if (usable.Length == 0)
            throw new UnreadableImageException(Rejection.BlockedAddress,
                $"{host.Host} is {string.Join(", ", addresses.AsEnumerable())}, which is not on the public Internet; "
                + $"if datasets may make this machine talk to it, set Ingestion:AllowedHosts to {Written(host)}");
        return await _connect(usable, host.Port, cancellation);
    }

    private static string Written(DnsEndPoint host) => host.Host.Contains(':') ? $"[{host.Host}]:{host.Port}" : $"{host.Host}:{host.Port}";

    private static async Task<Stream> ConnectByTcpAsync(IPAddress[] addresses, int port, CancellationToken cancellation)
    {
        var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        try
        {
            await socket.ConnectAsync(addresses, port, cancellation);
            return new NetworkStream(socket, ownsSocket: true);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }
}
