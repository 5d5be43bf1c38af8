using System.Net;
using System.Net.Http.Json;
using System.Text;
using FunctionsPipeline.Contracts;
using FunctionsPipeline.FunctionApp.Http;

namespace FunctionsPipeline.FunctionApp.Tests;

/// <summary>
/// Sweeps through HTTP and the durable engine. A run's loss is a hundredth of its seed; one with a seed from 1000 on trains forever.
/// </summary>
public sealed class SweepEndpointsTests(PipelineFixture pipeline) : IClassFixture<PipelineFixture>
{
    private const string Run = """
        "run": {"dataset": {"repo": "samples/garments", "validationFraction": 0.3,
          "columns": {"image": "imageurl", "title": "title", "category": "category1_code", "price": "full_price"}},
         "baseModel": {"repo": "samples/tiny"}}
        """;

    [Fact]
    public async Task A_sweep_prunes_the_worst_run_and_publishes_the_best()
    {
        var answer = await PostAsync("""
            "sweep": "lr", "space": {"seed": {"values": [20, 10, 5000, 30]}}, "pruning": {"minRuns": 2}
            """);
        Assert.Equal(HttpStatusCode.Accepted, answer.StatusCode);
        Assert.Equal("/api/sweeps/lr", answer.Headers.Location!.ToString());
        Assert.Equal(
            new SweepAccepted("lr", "/api/sweeps/lr", 4), await answer.Content.ReadFromJsonAsync<SweepAccepted>(PipelineJson.Options));
        var view = await EndedAsync("lr");

        Assert.Equal("Completed", view.RuntimeStatus);
        Assert.Equal(("lr.02", 0.1, true), (view.Outcome!.Best, view.Outcome.ValidationLoss, view.Outcome.Published));
        Assert.Equal((3, 1, 0), (view.Status!.Completed, view.Status.Pruned, view.Status.Failed));
        Assert.Equal(
            [("lr.01", 20, 0.2, 2), ("lr.02", 10, 0.1, 1), ("lr.03", 5000, 50, 4), ("lr.04", 30, 0.3, 3)],
            view.Runs!.Select(run => (run.Run, run.Settings["seed"].GetInt32(), run.ValidationLoss!.Value, run.Rank!.Value)));
        Assert.All(view.Runs!, run => Assert.Equal(("Completed", RunPhase.Done), (run.RuntimeStatus, run.Phase)));
        Assert.Contains("above 0.15, the median of 2 other runs", view.Runs![2].Pruned, StringComparison.Ordinal);
        Assert.Contains("asked to stop", pipeline.JobLog("lr.03"), StringComparison.Ordinal);
        Assert.Single(view.Runs!, run => run.Pruned is not null);

        await AssertRunsAreOrdinaryAsync();
        var current = await pipeline.Http.GetFromJsonAsync<CurrentModel>("/api/models/current", PipelineJson.Options);
        Assert.Equal("lr.02", current!.Version);
        var page = await pipeline.Http.GetFromJsonAsync<SweepPage>("/api/sweeps?top=200", PipelineJson.Options);
        Assert.Equal(view.Outcome, page!.Sweeps.Single(sweep => sweep.Sweep == "lr").Outcome);

        Assert.Equal(HttpStatusCode.Conflict, (await PostAsync("\"sweep\": \"lr\", \"space\": {\"seed\": {\"values\": [1]}}")).StatusCode);
        Assert.Equal(HttpStatusCode.Conflict, (await pipeline.Http.PostAsync("/api/sweeps/lr/cancel", null)).StatusCode);
        Assert.Equal(HttpStatusCode.NotFound, (await pipeline.Http.GetAsync("/api/sweeps/lr.01")).StatusCode);
        Assert.Equal(HttpStatusCode.NotFound, (await pipeline.Http.GetAsync("/api/runs/lr")).StatusCode);
    }

    private async Task AssertRunsAreOrdinaryAsync()
    {
        var list = await pipeline.Http.GetFromJsonAsync<RunPage>("/api/runs?top=200", PipelineJson.Options);
        Assert.Equal(["lr.04", "lr.03", "lr.02", "lr.01"],
            list!.Runs.Select(run => run.Run).Where(run => run.StartsWith("lr", StringComparison.Ordinal)));
        Assert.Contains("\"step\":3", await pipeline.Http.GetStringAsync("/api/runs/lr.03/metrics"), StringComparison.Ordinal);
        var pruned = (await pipeline.Http.GetFromJsonAsync<RunView>("/api/runs/lr.03", PipelineJson.Options))!.Outcome!;
        Assert.Equal((50, 2, false), (pruned.Result.Pruned!.ValidationLoss, pruned.Result.Steps, pruned.Published));
        Assert.Equal(PipelineFixture.Rows, pruned.Dataset.Counts.Rows);
        // One ingestion for all.
        const string Instances = "/runtime/webhooks/durabletask/instances";
        Assert.Equal(HttpStatusCode.OK, (await pipeline.Http.GetAsync($"{Instances}/lr.ingest")).StatusCode);
        Assert.Equal(HttpStatusCode.NotFound, (await pipeline.Http.GetAsync($"{Instances}/lr.01.ingest")).StatusCode);
    }

    [Fact]
    public async Task A_cancelled_sweep_starts_nothing_more_and_stops_its_jobs()
    {
        await PostAsync("\"sweep\": \"endless\", \"space\": {\"seed\": {\"values\": [1, 2, 3]}}, \"parallelism\": 2");
        var training = await UntilAsync("endless", view => view.Runs!.Count(run => run.Step == 3) == 2);
        Assert.Null(training.Runs![2].RuntimeStatus);

        Assert.Equal(HttpStatusCode.Accepted, (await pipeline.Http.PostAsync("/api/sweeps/endless/cancel", null)).StatusCode);
        var view = await UntilAsync("endless", view => view.Runs!.Count(run => run.RuntimeStatus == "Terminated") == 2);
        Assert.Equal("Terminated", view.RuntimeStatus);
        Assert.Null(view.Runs![2].RuntimeStatus);
        foreach (var run in new[] { "endless.01", "endless.02" })
            Assert.Contains("asked to stop", pipeline.JobLog(run), StringComparison.Ordinal);
        Assert.Equal(HttpStatusCode.Conflict, (await pipeline.Http.PostAsync("/api/sweeps/endless/cancel", null)).StatusCode);
    }

    [Fact]
    public async Task A_run_that_is_cancelled_alone_does_not_end_its_sweep()
    {
        await PostAsync("\"sweep\": \"solo\", \"space\": {\"seed\": {\"values\": [5000, 40]}}");
        await UntilAsync("solo", view => view.Runs![0].Step == 3);
        Assert.Equal(HttpStatusCode.Accepted, (await pipeline.Http.PostAsync("/api/runs/solo.01/cancel", null)).StatusCode);
        var view = await EndedAsync("solo");
        Assert.True(view.RuntimeStatus == "Completed", $"{view.RuntimeStatus}: {view.Error}");
        Assert.Equal(("solo.02", 1), (view.Outcome!.Best, view.Status!.Failed));
        Assert.Equal(("Failed", "The training failed: the run was cancelled"), (view.Runs![0].RuntimeStatus, view.Runs[0].Error));
        Assert.Contains("asked to stop", pipeline.JobLog("solo.01"), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("samples/garments -> samples/nothing", 404, "run.dataset.repo")]
    [InlineData("samples/tiny -> samples/huge", 404, "run.baseModel.repo")]
    [InlineData("seed -> sead", 400, "space.sead")]
    [InlineData("[1] -> [\"one\"]", 400, "space.seed.values[0]")]
    [InlineData("\"space\" -> \"spaces\"", 400, "spaces")]
    public async Task A_request_that_cannot_be_carried_out_names_the_field(string change, int status, string field)
    {
        var (what, into) = (change.Split(" -> ")[0], change.Split(" -> ")[1]);
        var answer = await PostAsync("\"sweep\": \"refused\", \"space\": {\"seed\": {\"values\": [1]}}", body => body.Replace(what, into));
        Assert.Equal(status, (int)answer.StatusCode);
        Assert.Equal(field, (await answer.Content.ReadFromJsonAsync<Problem>(PipelineJson.Options))!.Field);
        Assert.Equal(HttpStatusCode.NotFound, (await pipeline.Http.GetAsync("/api/sweeps/refused")).StatusCode);
    }

    [Theory]
    [InlineData("GET", "/api/sweeps/nothing", 404, "sweep")]
    [InlineData("POST", "/api/sweeps/nothing/cancel", 404, "sweep")]
    [InlineData("GET", "/api/sweeps?top=0", 400, "top")]
    public async Task A_request_that_makes_no_sense_is_told_why(string method, string path, int status, string field)
    {
        using var request = new HttpRequestMessage(new HttpMethod(method), path);
        var answer = await pipeline.Http.SendAsync(request);
        Assert.Equal(status, (int)answer.StatusCode);
        Assert.Equal(field, (await answer.Content.ReadFromJsonAsync<Problem>(PipelineJson.Options))!.Field);
    }

    [Fact]
    public void Runs_are_ranked_by_their_losses_and_those_without_one_are_not()
    {
        double?[] losses = [0.5, null, 0.2, 0.5];
        var runs = losses.Select((loss, i) => new SweepRunView
        {
            Run = $"lr.{i}",
            Settings = new Dictionary<string, System.Text.Json.JsonElement>(),
            ValidationLoss = loss,
        });
        Assert.Equal([2, null, 1, 3], SweepReader.Ranked([.. runs]).Select(run => run.Rank));
    }

    private Task<HttpResponseMessage> PostAsync(string members, Func<string, string>? change = null)
    {
        var body = $"{{ {Run}, {members} }}";
        return pipeline.Http.PostAsync(
            "/api/sweeps", new StringContent(change is null ? body : change(body), Encoding.UTF8, "application/json"));
    }

    private Task<SweepView> EndedAsync(string sweep) => UntilAsync(sweep, view => view.RuntimeStatus is not ("Pending" or "Running"));

    private async Task<SweepView> UntilAsync(string sweep, Func<SweepView, bool> condition)
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(120));
        while (true)
        {
            var view = (await pipeline.Http.GetFromJsonAsync<SweepView>($"/api/sweeps/{sweep}", PipelineJson.Options, limit.Token))!;
            if (condition(view)) return view;
            Assert.True(view.RuntimeStatus is not ("Failed" or "Completed"), $"{view.RuntimeStatus}: {view.Error}");
            await Task.Delay(200, limit.Token);
        }
    }
}
