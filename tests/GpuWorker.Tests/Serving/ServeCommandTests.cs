using System.Diagnostics;
using System.Net;
using FunctionsPipeline.Contracts;
using FunctionsPipeline.Tests;

namespace FunctionsPipeline.GpuWorker.Tests.Serving;

[Collection(nameof(ServingCollection))]
public sealed class ServeCommandTests(AzuriteFixture azurite)
{
    [Fact]
    public async Task A_server_that_is_asked_to_stop_answers_what_it_has_taken_in()
    {
        await using var models = await ServedModels.CreateAsync(azurite.Blobs, azurite.ConnectionString);
        await models.PublishAsync("v1");
        var environment = new Dictionary<string, string> { ["PipelineStorage"] = azurite.ConnectionString };
        using var process = WorkerProcess.Start(environment, "serve", "--port", "0", "--cache", models.Cache, "--threads", "1");
        try
        {
            using var limit = new CancellationTokenSource(TimeSpan.FromMinutes(1));
            var url = "";
            const string ready = "worker listening on ";
            while (!url.StartsWith(ready, StringComparison.Ordinal))
                url = await process.StandardOutput.ReadLineAsync(limit.Token) ?? throw new InvalidOperationException("ended early");
            _ = process.StandardOutput.ReadToEndAsync(limit.Token);
            using var http = new HttpClient { BaseAddress = new Uri(url[ready.Length..]) };
            await http.ReadyAsync("\"v1\"");
            var open = await OpenRequest.SendAsync(http, TestImages.Png());
            using (var kill = Process.Start("sh", ["-c", $"kill -TERM {process.Id}"])) await kill.WaitForExitAsync(limit.Token);
            // Once it has begun to stop, it takes no more connections.
            using var other = new HttpClient { BaseAddress = http.BaseAddress };
            while (await TakesConnectionsAsync(other, limit.Token)) await Task.Delay(20, limit.Token);
            open.Complete();
            using var response = await open.Response;
            Assert.Equal(HttpStatusCode.OK, response.StatusCode);
            var answer = await response.Content.ReadAsStringAsync();
            Assert.Contains(nameof(PredictionStatus.Predicted), answer, StringComparison.OrdinalIgnoreCase);
            await process.WaitForExitAsync(limit.Token);
            Assert.Equal(0, process.ExitCode);
        }
        finally
        {
            if (!process.HasExited) process.Kill(entireProcessTree: true);
        }
    }

    private static async Task<bool> TakesConnectionsAsync(HttpClient http, CancellationToken cancellationToken)
    {
        try
        {
            using var request = new HttpRequestMessage(HttpMethod.Get, "/livez");
            request.Headers.ConnectionClose = true;
            using var response = await http.SendAsync(request, cancellationToken);
            return true;
        }
        catch (HttpRequestException)
        {
            return false;
        }
    }
}
