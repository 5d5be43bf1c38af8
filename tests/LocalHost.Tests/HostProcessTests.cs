using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using FunctionsPipeline.LocalHost.Processes;
using FunctionsPipeline.Tests;

namespace FunctionsPipeline.LocalHost.Tests;

public sealed class HostProcessTests(AzuriteFixture azurite) : IClassFixture<AzuriteFixture>
{
    [Fact]
    public async Task After_a_kill_no_worker_stays_and_the_next_host_completes_what_ran()
    {
        var port = FreePort.Next();
        using var killed = await HostProcess.StartAsync(azurite.ConnectionString, port);
        var steps = await killed.Client.StartAsync("Steps", new { Activities = 5, Milliseconds = 200 });
        await killed.Client.WaitAsync(steps, status => status.CustomStatus?.GetProperty("StepsDone").GetInt32() >= 2);
        using var worker = await WorkerAsync(killed.Client);
        killed.Kill();
        await worker.WaitForExitAsync().WaitAsync(TimeSpan.FromSeconds(10));

        using var next = await HostProcess.StartAsync(azurite.ConnectionString, port);
        Assert.Equal(5, (await next.Client.EndAsync(steps)).Result<int>());
    }

    [Fact]
    public async Task Uploads_before_and_after_a_kill_are_taken_by_the_next_host_within_seconds()
    {
        var port = FreePort.Next();
        var uploads = azurite.Blobs.GetBlobContainerClient("tiny-uploads");
        var notes = azurite.Blobs.GetBlobContainerClient("tiny-notes");
        using (var killed = await HostProcess.StartAsync(azurite.ConnectionString, port))
        {
            await uploads.CreateIfNotExistsAsync();
            await uploads.UploadBlobAsync("killed/a.txt", BinaryData.FromString("slow"));
            await NoteAsync("started/killed/a.txt");
            killed.Kill();
        }
        Assert.False(await notes.GetBlobClient("blobs/killed/a.txt").ExistsAsync());
        using var next = await HostProcess.StartAsync(azurite.ConnectionString, port);
        var waited = Stopwatch.StartNew();
        await uploads.UploadBlobAsync("killed/b.txt", BinaryData.FromString("quick"));
        await NoteAsync("blobs/killed/a.txt");
        await NoteAsync("blobs/killed/b.txt");
        // By the SDK's defaults, the lock of the killed host's container scan would last for a minute.
        Assert.InRange(waited.Elapsed, TimeSpan.Zero, TimeSpan.FromSeconds(45));

        Task NoteAsync(string name) =>
            TinyAppClient.UntilAsync(async () => await notes.GetBlobClient(name).ExistsAsync(), name);
    }

    [Fact]
    public async Task A_host_that_is_asked_to_end_does_so_with_its_worker()
    {
        using var host = await HostProcess.StartAsync(azurite.ConnectionString);
        using var worker = await WorkerAsync(host.Client);
        var started = Stopwatch.StartNew();
        Assert.Equal(0, await host.TerminateAsync());
        Assert.InRange(started.Elapsed, TimeSpan.Zero, TimeSpan.FromSeconds(10));
        Assert.True(worker.HasExited);
    }

    [Fact]
    public async Task A_host_that_cannot_start_says_why_in_a_line()
    {
        using var taken = new TcpListener(IPAddress.Loopback, 0);
        taken.Start();
        var port = ((IPEndPoint)taken.LocalEndpoint).Port;
        var failure = await Assert.ThrowsAsync<InvalidOperationException>(() => HostProcess.StartAsync(azurite.ConnectionString, port));
        Assert.Contains("exit code 1", failure.Message, StringComparison.Ordinal);
        Assert.Contains("address already in use", failure.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("   at ", failure.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_host_whose_storage_goes_away_ends_with_its_worker_and_says_why()
    {
        var storage = new AzuriteFixture();
        await storage.InitializeAsync();
        using var host = await HostProcess.StartAsync(storage.ConnectionString);
        using var worker = await WorkerAsync(host.Client);
        await storage.DisposeAsync();
        var (exitCode, errors) = await host.EndAsync();
        Assert.Equal(1, exitCode);
        Assert.Contains("The host cannot continue: Connection refused", errors, StringComparison.Ordinal);
        Assert.True(worker.HasExited);
    }

    private static async Task<Process> WorkerAsync(TinyAppClient client) =>
        Process.GetProcessById(int.Parse(await client.Http.GetStringAsync("tiny/processid"), CultureInfo.InvariantCulture));
}
