using FunctionsPipeline.LocalHost.Processes;

namespace FunctionsPipeline.Benchmarks;

/// <summary>An Azurite of its own, in memory.</summary>
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
    /// <exception cref="NotMeasuredException">Azurite is not here.</exception>
    public static async Task<BlobService> StartAsync(string logFolder)
    {
        var port = FreePort.Next();
        ChildProcess process;
        try
        {
            process = ChildProcess.Start("azurite", logFolder,
            [
                Applications.Azurite, "--blobHost", "127.0.0.1", "--blobPort", $"{port}", "--queuePort", $"{FreePort.Next()}", "--tablePort",
                $"{FreePort.Next()}", "--inMemoryPersistence", "--skipApiVersionCheck", "--silent", "--disableTelemetry",
            ]);
        }
        catch (FileNotFoundException e)
        {
            throw new NotMeasuredException(e.Message);
        }
        await process.WaitUntilAsync(stop => FreePort.AnswersAsync(port, stop), TimeSpan.FromMinutes(1), CancellationToken.None);
        return new BlobService(process,
            $"DefaultEndpointsProtocol=http;AccountName={Account};AccountKey={Key};BlobEndpoint=http://127.0.0.1:{port}/{Account};");
    }

    /// <inheritdoc/>
    public ValueTask DisposeAsync() => _process.DisposeAsync();
}
