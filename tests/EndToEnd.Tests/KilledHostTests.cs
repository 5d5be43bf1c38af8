using System.Diagnostics;
using System.Net.Http.Json;
using System.Text;
using System.Text.Json.Nodes;
using FunctionsPipeline.Contracts;
using FunctionsPipeline.LocalHost.Processes;
using FunctionsPipeline.SampleData;
using FunctionsPipeline.Tests;

namespace FunctionsPipeline.EndToEnd.Tests;

/// <summary>A host process that is killed in the middle of an ingestion, without a chance to put anything in order.</summary>
public sealed class KilledHostTests(AzuriteFixture azurite) : IClassFixture<AzuriteFixture>, IAsyncLifetime
{
    private const int Rows = 400;
    private static readonly TimeSpan Limit = TimeSpan.FromMinutes(8);

    // A host with the port of the killed one has its orchestrations back at once; another one waits until the lease has ended.
    private readonly int _port = FreePort.Next();
    private readonly string _folder = Directory.CreateTempSubdirectory("killed-host-").FullName;
    private readonly HttpClient _http = new();
    private SampleHub _hub = null!;
    private Process? _host;

    public async Task InitializeAsync() =>
        _hub = await SampleHub.StartAsync(new HubServerOptions { Rows = Rows, Seed = 40, LogRequests = true });

    public async Task DisposeAsync()
    {
        Kill();
        _http.Dispose();
        await _hub.DisposeAsync();
        Directory.Delete(_folder, recursive: true);
    }

    [Fact]
    public async Task The_next_host_goes_on_where_it_was_and_every_row_is_accounted_for()
    {
        using var limit = new CancellationTokenSource(Limit);
        var expected = Enumerable.Range(0, Rows).Select(row => new GarmentCatalog(40)[row].Defect).CountBy(defect => defect).ToDictionary();
        var status = await StartIngestionAsync(await StartHostAsync(limit.Token), limit.Token);

        // Killed twice: in the middle of the rows, and when nearly all are there.
        foreach (var share in new[] { 0.3, 0.8 })
        {
            await UntilAsync(() => Pictures.Count() > share * Rows, limit.Token);
            Kill();
            status = new Uri(await StartHostAsync(limit.Token), status.PathAndQuery);
        }
        var end = await EndAsync(status, limit.Token);

        Assert.Equal("Completed", end["runtimeStatus"]!.GetValue<string>());
        var counts = end["output"]!["counts"]!;
        Assert.Equal(Rows, counts["rows"]!.GetValue<int>());
        Assert.Equal(expected[RowDefect.None], counts["stored"]!.GetValue<int>());
        Assert.Equal(expected[RowDefect.Repeated], counts["duplicates"]!.GetValue<int>());
        Assert.Equal(Rows - expected[RowDefect.None] - expected[RowDefect.Repeated], counts["rejected"]!.GetValue<int>());
        // What was being fetched when the host died is fetched again, and nothing else but what is broken.
        var concurrency = new FunctionsPipeline.Datasets.IngestionOptions().Concurrency;
        Assert.InRange(Pictures.Count() - Pictures.Distinct().Count(), 0, 2 * 8 * concurrency);
    }

    private IEnumerable<string> Pictures =>
        _hub.Requests.Where(request => request.Status == 200).Select(request => request.Path)
            .Where(path => path.StartsWith("/pictures/", StringComparison.Ordinal));

    private async Task<Uri> StartHostAsync(CancellationToken cancellationToken)
    {
        var start = new ProcessStartInfo("dotnet",
            [typeof(LocalStack).Assembly.Location, "run", "--port", $"{_port}"])
        {
            RedirectStandardOutput = true,
            Environment =
            {
                ["HOME"] = _folder,
                ["PipelineStorage"] = azurite.ConnectionString,
                ["AzureWebJobsStorage"] = azurite.ConnectionString,
                ["HF_ENDPOINT"] = _hub.Url.ToString(),
                ["Worker__Url"] = "http://127.0.0.1:9",
                ["GpuWorker__Command"] = "unused",
                ["Ingestion__AllowedHosts__0"] = _hub.Url.Authority,
                ["Ingestion__UnitRows"] = "20",
            },
        };
        _host = Process.Start(start)!;
        const string Ready = "functions listening on ";
        while (await _host.StandardOutput.ReadLineAsync(cancellationToken) is { } line)
        {
            if (!line.StartsWith(Ready, StringComparison.Ordinal)) continue;
            _ = _host.StandardOutput.ReadToEndAsync(CancellationToken.None);
            return new Uri(line[Ready.Length..]);
        }
        throw new InvalidOperationException("the host ended before it listened");
    }

    private void Kill()
    {
        if (_host is { HasExited: false }) _host.Kill();
        _host?.WaitForExit();
        _host?.Dispose();
        _host = null;
    }

    private async Task<Uri> StartIngestionAsync(Uri host, CancellationToken cancellationToken)
    {
        using var body = new StringContent(
            $$"""{"repo": "{{_hub.Dataset}}", "columns": {"image": "imageurl", "title": "title", "price": "full_price" } }""",
            Encoding.UTF8, "application/json");
        using var response = await _http.PostAsync(new Uri(host, "api/datasets/ingest"), body, cancellationToken);
        response.EnsureSuccessStatusCode();
        var accepted = await response.Content.ReadFromJsonAsync<IngestionAccepted>(PipelineJson.Options, cancellationToken);
        return new Uri(accepted!.Management["statusQueryGetUri"]);
    }

    private async Task<JsonNode> EndAsync(Uri status, CancellationToken cancellationToken)
    {
        while (true)
        {
            var now = JsonNode.Parse(await _http.GetStringAsync(status, cancellationToken))!;
            if (now["runtimeStatus"]!.GetValue<string>() is not ("Pending" or "Running")) return now;
            await Task.Delay(200, cancellationToken);
        }
    }

    private static async Task UntilAsync(Func<bool> holds, CancellationToken cancellationToken)
    {
        while (!holds()) await Task.Delay(5, cancellationToken);
    }
}
