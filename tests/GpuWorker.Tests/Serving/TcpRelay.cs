using System.Net;
using System.Net.Sockets;

namespace FunctionsPipeline.GpuWorker.Tests.Serving;

/// <summary>A loopback port that leads to another one, and can be closed and opened again: a server that is away for a time.</summary>
internal sealed class TcpRelay : IAsyncDisposable
{
    private readonly int _target;
    private CancellationTokenSource _closing = null!;
    private Task _accepting = null!;

    /// <param name="target">Port that connections are passed to.</param>
    public TcpRelay(int target)
    {
        _target = target;
        Open();
    }

    /// <summary>Port to connect to.</summary>
    public int Port { get; private set; }

    /// <summary>Listens on the port again.</summary>
    public void Open()
    {
        var listener = new TcpListener(IPAddress.Loopback, Port);
        listener.Start();
        Port = ((IPEndPoint)listener.LocalEndpoint).Port;
        _closing = new CancellationTokenSource();
        _accepting = AcceptAsync(listener, _closing.Token);
    }

    /// <summary>Ends all connections and refuses new ones.</summary>
    public async Task CloseAsync()
    {
        await _closing.CancelAsync();
        await _accepting.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }

    public async ValueTask DisposeAsync() => await CloseAsync();

    private async Task AcceptAsync(TcpListener listener, CancellationToken closing)
    {
        using (listener)
        {
            var connections = new List<Task>();
            try
            {
                while (true) connections.Add(PassAsync(await listener.AcceptTcpClientAsync(closing), closing));
            }
            finally
            {
                await Task.WhenAll(connections);
            }
        }
    }

    private async Task PassAsync(TcpClient client, CancellationToken closing)
    {
        using (client)
        using (var server = new TcpClient())
        {
            await server.ConnectAsync(IPAddress.Loopback, _target, CancellationToken.None);
            var (near, far) = (client.GetStream(), server.GetStream());
            await Task.WhenAny(near.CopyToAsync(far, closing), far.CopyToAsync(near, closing));
        }
    }
}
