using System.Net;
using System.Net.Sockets;

namespace FunctionsPipeline.LocalHost.Processes;

/// <summary>Finds and probes loopback TCP ports.</summary>
public static class FreePort
{
    /// <summary>Returns a port that is free at the moment.</summary>
    public static int Next()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        // Another process may take the port before the caller does; the caller's start then fails.
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }

    /// <summary>True when a process listens on the port.</summary>
    public static async Task<bool> AnswersAsync(int port, CancellationToken cancellationToken)
    {
        using var client = new TcpClient();
        try
        {
            await client.ConnectAsync(IPAddress.Loopback, port, cancellationToken);
            return true;
        }
        catch (SocketException)
        {
            return false;
        }
    }
}
