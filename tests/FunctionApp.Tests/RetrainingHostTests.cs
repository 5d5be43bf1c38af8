using System.Net;
using System.Net.Http.Json;
using FunctionsPipeline.Contracts;
using FunctionsPipeline.FunctionApp.Http;
using FunctionsPipeline.FunctionApp.Retraining;

namespace FunctionsPipeline.FunctionApp.Tests;

/// <summary>Retraining through the host: its timer, its webhook and the durable engine.</summary>
public sealed class RetrainingHostTests(PipelineFixture pipeline) : IClassFixture<PipelineFixture>
{
    private const string Secret = "0123456789abcdef";

    private const string Request = """
        {"dataset": {"repo": "samples/garments", "columns": {"image": "imageurl", "title": "title"}, "validationFraction": 0.3},
         "baseModel": {"repo": "samples/tiny"}}
        """;

    [Fact]
    public async Task The_timer_trains_a_new_commit_once_and_the_webhook_asks_for_nothing_but_its_secret()
    {
        await using var host = await pipeline.StartAsync(new Dictionary<string, string?>
        {
            ["Retraining__Request"] = Request,
            ["Retraining__Poll"] = "true",
            ["Retraining__WebhookSecret"] = Secret,
            ["AzureFunctionsJobHost__extensions__durableTask__hubName"] = "Retraining",
        });
        using var http = new HttpClient { BaseAddress = host.Url };
        await TickAsync(http);
        var run = await EndedAsync(http);
        Assert.StartsWith(Retrainer.RunPrefix, run.Run, StringComparison.Ordinal);
        var outcome = (await http.GetFromJsonAsync<RunView>($"/api/runs/{run.Run}", PipelineJson.Options))!.Outcome!;
        Assert.True(outcome.Published, outcome.PublishDecision);
        await TickAsync(http);

        var commit = outcome.Dataset.Commit;
        Assert.Equal((HttpStatusCode.Unauthorized, null), await PushAsync(http, commit, "guessed"));
        var (status, decision) = await PushAsync(http, commit, Secret);
        Assert.Equal((HttpStatusCode.OK, RetrainingOutcome.Ignored, run.Run), (status, decision!.Outcome, decision.Run));
        Assert.Equal(run.Run, Assert.Single((await ListAsync(http)).Runs).Run);
    }

    private static async Task TickAsync(HttpClient http) =>
        (await http.PostAsJsonAsync($"/admin/functions/{nameof(Retrain)}", new { input = "" })).EnsureSuccessStatusCode();

    private static async Task<(HttpStatusCode Status, RetrainingDecision? Decision)> PushAsync(
        HttpClient http, string commit, string secret)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, "/api/hooks/huggingface");
        request.Headers.Add(HookEndpoints.SecretHeader, secret);
        request.Content = JsonContent.Create(new
        {
            @event = new { action = "update", scope = "repo.content" },
            repo = new { type = "dataset", name = "samples/garments", headSha = commit },
            updatedRefs = new[] { new { @ref = "refs/heads/main", newSha = commit } },
        });
        using var answer = await http.SendAsync(request);
        return (answer.StatusCode, answer.IsSuccessStatusCode
            ? await answer.Content.ReadFromJsonAsync<RetrainingDecision>(PipelineJson.Options)
            : null);
    }

    private static async Task<RunPage> ListAsync(HttpClient http) =>
        (await http.GetFromJsonAsync<RunPage>("/api/runs", PipelineJson.Options))!;

    private static async Task<RunView> EndedAsync(HttpClient http)
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(60));
        while (true)
        {
            if ((await ListAsync(http)).Runs is [{ RuntimeStatus: "Completed" or "Failed" } run]) return run;
            await Task.Delay(200, limit.Token);
        }
    }
}
