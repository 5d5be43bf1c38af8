using Microsoft.Extensions.Logging;

namespace FunctionsPipeline.LocalHost;

/// <summary>How the local host runs.</summary>
public sealed record LocalHostOptions
{
    /// <summary>Port on 127.0.0.1; 0 takes a free one, which <see cref="FunctionsHost.Address"/> tells after the start.</summary>
    public int Port { get; init; } = 7071;

    /// <summary>
    /// Path of the SQLite file that keeps orchestrations, their history, and which blobs were processed. Created when missing;
    /// one host at a time.
    /// </summary>
    public required string StateDatabase { get; init; }

    /// <summary>Storage connection string for blob triggers whose <c>Connection</c> names no setting with a value.</summary>
    public string? StorageConnection { get; init; }

    /// <summary>Settings that come before those of the environment and of appsettings.json.</summary>
    public IReadOnlyDictionary<string, string?> Settings { get; init; } = new Dictionary<string, string?>();

    /// <summary>Path of host.json; the one beside the executable when left out, the defaults of Azure Functions when there is none.</summary>
    public string? HostJson { get; init; }

    /// <summary>Time between two looks into a watched container.</summary>
    public TimeSpan BlobPollInterval { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>Time before a failed blob is tried again for the first time; every further wait is three times as long.</summary>
    public TimeSpan BlobRetryDelay { get; init; } = TimeSpan.FromSeconds(2);

    /// <summary>The clock of durable timers, retries and blob polls.</summary>
    public TimeProvider TimeProvider { get; init; } = TimeProvider.System;

    /// <summary>Where log lines go; the console, one line an event, when left out.</summary>
    public Action<ILoggingBuilder>? ConfigureLogging { get; init; }
}
