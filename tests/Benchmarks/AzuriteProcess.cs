using FunctionsPipeline.LocalHost.Processes;

namespace FunctionsPipeline.Benchmarks;

/// <summary>Runs an Azurite of its own for one measurement.</summary>
internal sealed class AzuriteProcess : IAsyncDisposable
{
    private readonly ChildProcess _process;

    private AzuriteProcess(ChildProcess process, string connectionString) => (_process, ConnectionString) = (process, connectionString);

    /// <summary>Connection string for a <c>BlobServiceClient</c>.</summary>
    public string ConnectionString { get; }

    /// <summary>Starts the process.</summary>
    /// <param name="folder">Folder of the process's log, and of its blobs unless those are in memory.</param>
    /// <exception cref="NotMeasuredException">Azurite is not here.</exception>
    public static async Task<AzuriteProcess> StartAsync(string folder, bool inMemory = true)
    {
        var services = AzuriteServices.At(0);
        ChildProcess process;
        try
        {
            process = ChildProcess.Start("azurite", folder, services.Command(inMemory ? null : folder));
        }
        catch (FileNotFoundException e)
        {
            throw new NotMeasuredException(e.Message);
        }
        foreach (var port in new[] { services.BlobPort, services.QueuePort, services.TablePort })
            await process.WaitUntilAsync(stop => FreePort.AnswersAsync(port, stop), TimeSpan.FromMinutes(1), CancellationToken.None);
        return new AzuriteProcess(process, services.ConnectionString);
    }

    /// <inheritdoc/>
    public ValueTask DisposeAsync() => _process.DisposeAsync();
}
