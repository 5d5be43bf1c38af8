using System.Net;
using Microsoft.Extensions.Logging;

namespace FunctionsPipeline.LocalHost;

/// <summary>Options of a host.</summary>
public sealed record FunctionsHostOptions
{
    /// <summary>Build output of the app, with <c>worker.config.json</c> and <c>host.json</c>.</summary>
    public required string AppFolder { get; init; }

    /// <summary>IP address to listen on. Beyond loopback the host requires a key.</summary>
    public IPAddress Listen { get; init; } = IPAddress.Loopback;

    /// <summary>TCP port to listen on; 0 takes a free one, which <see cref="FunctionsHost.Address"/> contains after the start.</summary>
    public int Port { get; init; } = 7071;

    /// <summary>
    /// App settings of the host and the worker, such as <c>AzureWebJobsStorage</c>. They take precedence over the environment.
    /// </summary>
    public IReadOnlyDictionary<string, string?> Settings { get; init; } = new Dictionary<string, string?>();

    /// <summary>True to have the worker wait up to a minute for a debugger.</summary>
    public bool WaitForDebugger { get; init; }

    /// <summary>Configures the log providers; null logs to the console, one line per event.</summary>
    public Action<ILoggingBuilder>? ConfigureLogging { get; init; }
}
