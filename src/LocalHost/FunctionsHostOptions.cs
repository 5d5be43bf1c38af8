using System.Net;
using Microsoft.Extensions.Logging;

namespace FunctionsPipeline.LocalHost;

/// <summary>How a host runs an app.</summary>
public sealed record FunctionsHostOptions
{
    /// <summary>The app's build output, with <c>worker.config.json</c> and <c>host.json</c>.</summary>
    public required string AppFolder { get; init; }

    /// <summary>Where HTTP is served. Anything but loopback has the host ask for a key.</summary>
    public IPAddress Listen { get; init; } = IPAddress.Loopback;

    /// <summary>TCP port; 0 takes a free one, which <see cref="FunctionsHost.Address"/> tells after the start.</summary>
    public int Port { get; init; } = 7071;

    /// <summary>App settings, for the host and the worker, such as <c>AzureWebJobsStorage</c>. They come before those of the environment.</summary>
    public IReadOnlyDictionary<string, string?> Settings { get; init; } = new Dictionary<string, string?>();

    /// <summary>Has the worker wait, for a minute at most, until a debugger is attached to it.</summary>
    public bool WaitForDebugger { get; init; }

    /// <summary>Where log lines go; the console, one line an event, when left out.</summary>
    public Action<ILoggingBuilder>? ConfigureLogging { get; init; }
}
