namespace FunctionsPipeline.LocalHost.Processes;

/// <summary>What runs on this machine and where.</summary>
public sealed record LocalStackOptions
{
    /// <summary>Folder for storage, models and logs.</summary>
    public required string StateFolder { get; init; }

    /// <summary>TCP port of the Functions host; 0 for a free one, likewise for the others.</summary>
    public int HostPort { get; init; }

    /// <summary>TCP port of the GPU worker.</summary>
    public int WorkerPort { get; init; }

    /// <summary>TCP port of the sample hub.</summary>
    public int HubPort { get; init; }

    /// <summary>TCP port of Azurite's blob service; queues and tables have the next two.</summary>
    public int BlobPort { get; init; }

    /// <summary>Whether blobs are gone when Azurite stops.</summary>
    public bool InMemoryStorage { get; init; }

    /// <summary>A Hugging Face hub to use instead of the sample hub.</summary>
    public Uri? Hub { get; init; }

    /// <summary>Rows that the sample hub serves.</summary>
    public int Rows { get; init; } = 600;

    /// <summary>A folder of pictures, <c>{split}/{label}/*.jpg</c>, that the sample hub serves instead of drawn garments.</summary>
    public string? Images { get; init; }

    /// <summary>Whether the sample hub fails now and then, as real ones do.</summary>
    public bool Faults { get; init; }

    /// <summary>Whether the Functions worker waits until a debugger is attached to it.</summary>
    public bool WaitForDebugger { get; init; }

    /// <summary>Images that the sample hub keeps out of every split and writes to <see cref="HeldOutFolder"/>.</summary>
    public int HoldBack { get; init; }

    /// <summary>Vocabulary of the tiny base model's tokenizer.</summary>
    public int Vocabulary { get; init; } = 512;

    /// <summary>Folder with the images that are in no split, and <c>truth.jsonl</c>.</summary>
    public string HeldOutFolder => Path.Combine(StateFolder, "held-out");

    /// <summary>Folder with the logs of everything.</summary>
    public string LogFolder => Path.Combine(StateFolder, "logs");
}
