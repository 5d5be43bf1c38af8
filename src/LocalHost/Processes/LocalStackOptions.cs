namespace FunctionsPipeline.LocalHost.Processes;

/// <summary>Options of a local stack: ports, folders and sample data.</summary>
public sealed record LocalStackOptions
{
    /// <summary>Folder for storage, models and logs.</summary>
    public required string StateFolder { get; init; }

    /// <summary>TCP port of the Functions host; 0 takes a free one. The same holds for the other ports.</summary>
    public int HostPort { get; init; }

    /// <summary>TCP port of the GPU worker.</summary>
    public int WorkerPort { get; init; }

    /// <summary>TCP port of the sample hub.</summary>
    public int HubPort { get; init; }

    /// <summary>TCP port of Azurite's blob service; its queue and table services use the next two.</summary>
    public int BlobPort { get; init; }

    /// <summary>True to keep blobs in memory only, so that they are gone when Azurite stops.</summary>
    public bool InMemoryStorage { get; init; }

    /// <summary>URL of a Hugging Face hub to use instead of the sample hub; null for the sample hub.</summary>
    public Uri? Hub { get; init; }

    /// <summary>Number of rows that the sample hub serves.</summary>
    public int Rows { get; init; } = 600;

    /// <summary>Folder of images, <c>{split}/{label}/*.jpg</c>, that the sample hub serves instead of drawn garments.</summary>
    public string? Images { get; init; }

    /// <summary>True to have the sample hub fail some requests, as real servers do.</summary>
    public bool Faults { get; init; }

    /// <summary>True to have the Functions worker wait until a debugger is attached.</summary>
    public bool WaitForDebugger { get; init; }

    /// <summary>Number of images that the sample hub keeps out of every split and writes to <see cref="HeldOutFolder"/>.</summary>
    public int HoldBack { get; init; }

    /// <summary>Vocabulary size of the tiny base model's tokenizer.</summary>
    public int Vocabulary { get; init; } = 512;

    /// <summary>Folder with the images that are in no split, and <c>truth.jsonl</c>.</summary>
    public string HeldOutFolder => Path.Combine(StateFolder, "held-out");

    /// <summary>Folder with the log files of all processes.</summary>
    public string LogFolder => Path.Combine(StateFolder, "logs");
}
