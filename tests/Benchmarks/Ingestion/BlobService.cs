using FunctionsPipeline.LocalHost.Processes;

namespace FunctionsPipeline.Benchmarks;

/// <summary>An Azurite of its own.</summary>
internal sealed class BlobService : IAsyncDisposable
{
    private const string Account = "devstoreaccount1";

    // Azurite's published key, the same on every machine.
    private const string Key = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==";

    private readonly ChildProcess _process;

    private BlobService(ChildProcess process, string connectionString) => (_process, ConnectionString) = (process, connectionString);

    /// <summary>For a <c>BlobServiceClient</c>.</summary>
    public string ConnectionString { get; }

    /// <summary>Starts it.</summary>
    /// <param name="folder">For its log, and for what it keeps unless that is in memory.</param>
    /// <exception cref="NotMeasuredException">Azurite is not here.</exception>
    public static async Task<BlobService> StartAsync(string folder, bool inMemory = true)
    {
        int[] ports = [FreePort.Next(), FreePort.Next(), FreePort.Next()];
        ChildProcess process;
        try
        {
            process = ChildProcess.Start("azurite", folder,
            [
                Applications.Azurite, "--blobHost", "127.0.0.1", "--blobPort", $"{ports[0]}", "--queueHost", "127.0.0.1", "--queuePort", $"{ports[1]}",
                "--tableHost", "127.0.0.1", "--tablePort", $"{ports[2]}", "--skipApiVersionCheck", "--silent", "--disableTelemetry",
                .. inMemory ? ["--inMemoryPersistence"] : (string[])["--location", folder],
            ]);
        }
        catch (FileNotFoundException e)
        {
            throw new NotMeasuredException(e.Message);
        }
        foreach (var port in ports)
            await process.WaitUntilAsync(stop => FreePort.AnswersAsync(port, stop), TimeSpan.FromMinutes(1), CancellationToken.None);
        return new BlobService(process, $"DefaultEndpointsProtocol=http;AccountName={Account};AccountKey={Key};" +
            $"BlobEndpoint=http://127.0.0.1:{ports[0]}/{Account};QueueEndpoint=http://127.0.0.1:{ports[1]}/{Account};TableEndpoint=http://127.0.0.1:{ports[2]}/{Account};");
    }

    /// <inheritdoc/>
    public ValueTask DisposeAsync() => _process.DisposeAsync();
}
