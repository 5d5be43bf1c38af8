namespace FunctionsPipeline.LocalHost.Processes;

/// <summary>Azurite's three services on loopback ports: the command that starts them and the connection string of their account.</summary>
public sealed record AzuriteServices(int BlobPort, int QueuePort, int TablePort)
{
    // Azurite's published account, the same on every machine.
    private const string Account = "devstoreaccount1";
    private const string AccountKey = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==";

    /// <summary>URL of the blob service.</summary>
    public string BlobEndpoint => Endpoint(BlobPort);

    /// <summary>Connection string with all three endpoints.</summary>
    public string ConnectionString =>
        $"DefaultEndpointsProtocol=http;AccountName={Account};AccountKey={AccountKey};" +
        $"BlobEndpoint={BlobEndpoint};QueueEndpoint={Endpoint(QueuePort)};TableEndpoint={Endpoint(TablePort)};";

    /// <summary>Chooses the ports.</summary>
    /// <param name="blobPort">Port of the blob service; queues and tables have the next two. 0 takes three free ones.</param>
    public static AzuriteServices At(int blobPort) => blobPort == 0
        ? new AzuriteServices(FreePort.Next(), FreePort.Next(), FreePort.Next())
        : new AzuriteServices(blobPort, blobPort + 1, blobPort + 2);

    /// <summary>Command line of Azurite on these ports.</summary>
    /// <param name="folder">Folder that keeps the data; null keeps it in memory.</param>
    /// <exception cref="FileNotFoundException">Azurite is not installed.</exception>
    public IReadOnlyList<string> Command(string? folder) =>
    [
        Applications.Azurite, "--blobHost", "127.0.0.1", "--blobPort", $"{BlobPort}", "--queueHost", "127.0.0.1", "--queuePort", $"{QueuePort}",
        "--tableHost", "127.0.0.1", "--tablePort", $"{TablePort}", "--silent", "--skipApiVersionCheck", "--disableTelemetry",
        .. folder is null ? ["--inMemoryPersistence"] : (string[])["--location", folder],
    ];

    private static string Endpoint(int port) => $"http://127.0.0.1:{port}/{Account}";
}
