using System.Net;
using System.Net.Sockets;

namespace FunctionsPipeline.LocalHost.Processes;

/// <summary>Finds and probes loopback TCP ports.</summary>
public static class FreePort
{
    /// <summary>Returns a port that is free at the moment.</summary>
    public static int Next() => Next(1)[0];

    /// <summary>Returns different ports that are free at the moment.</summary>
    public static int[] Next(int count)
    {
        // All are held until the last one is found: the system may give a port again as soon as it is free.
        var listeners = Enumerable.Range(0, count).Select(_ => new TcpListener(IPAddress.Loopback, 0)).ToList();
        try
        {
            foreach (var listener in listeners) listener.Start();
            // Another process may take a port before the caller does; the caller's start then fails.
            return [.. listeners.Select(listener => ((IPEndPoint)listener.LocalEndpoint).Port)];
        }
        finally
        {
            foreach (var listener in listeners) listener.Dispose();
        }
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
