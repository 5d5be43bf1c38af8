using FunctionsPipeline.LocalHost.Processes;

namespace FunctionsPipeline.Benchmarks;

/// <summary>An Azurite of its own.</summary>
internal sealed class BlobService : IAsyncDisposable
{
    private readonly ChildProcess _process;

    private BlobService(ChildProcess process, string connectionString) => (_process, ConnectionString) = (process, connectionString);

    /// <summary>For a <c>BlobServiceClient</c>.</summary>
    public string ConnectionString { get; }

    /// <summary>Starts it.</summary>
    /// <param name="folder">For its log, and for what it keeps unless that is in memory.</param>
    /// <exception cref="NotMeasuredException">Azurite is not here.</exception>
    public static async Task<BlobService> StartAsync(string folder, bool inMemory = true)
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
        return new BlobService(process, services.ConnectionString);
    }

    /// <inheritdoc/>
    public ValueTask DisposeAsync() => _process.DisposeAsync();
}
