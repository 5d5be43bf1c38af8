using System.Net;
using System.Net.Http.Json;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using FunctionsPipeline.Contracts;

namespace FunctionsPipeline.FunctionApp.Tests;

public class DatasetEndpointsTests(PipelineFixture pipeline) : IClassFixture<PipelineFixture>
{
    [Fact]
    public async Task Inspecting_shows_schema_rows_and_a_guess_and_stores_nothing()
    {
        var answer = await PostAsync("inspect", """{"repo": "samples/garments"}""");
        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        var inspection = (await answer.Content.ReadFromJsonAsync<DatasetInspection>(PipelineJson.Options))!;
        Assert.Equal(("imageurl", "title", "category3_code", "full_price"),
            (inspection.Mapping!.Image, inspection.Mapping.Title, inspection.Mapping.Category, inspection.Mapping.Price));
        Assert.Equal(PipelineFixture.Rows, inspection.Splits["train"].Rows);
        Assert.NotEmpty(inspection.SampleRows);
        Assert.Contains(inspection.Columns, column => column is { Name: "full_price", Type: "double" });
    }

    [Fact]
    public async Task A_dataset_is_ingested_without_a_run_and_its_status_tells_what_came_of_it()
    {
        var answer = await PostAsync("ingest", """{"repo": "samples/garments", "testFraction": 0}""");
        Assert.Equal(HttpStatusCode.Accepted, answer.StatusCode);
        var accepted = (await answer.Content.ReadFromJsonAsync<IngestionAccepted>(PipelineJson.Options))!;
        Assert.Equal(accepted.Management["statusQueryGetUri"], answer.Headers.Location!.ToString());

        var status = await UntilEndedAsync(answer.Headers.Location);

        Assert.Equal("Completed", status["runtimeStatus"]!.GetValue<string>());
        var counts = status["output"]!["counts"]!;
        Assert.Equal(PipelineFixture.Rows, counts["rows"]!.GetValue<int>());
        Assert.Equal(
            PipelineFixture.Rows,
            new[] { "stored", "duplicates", "rejected" }.Sum(name => counts[name]!.GetValue<int>()));
        Assert.Contains("imageurl", status["customStatus"]!["columnsGuess"]!.GetValue<string>(), StringComparison.Ordinal);
        Assert.Equal(PipelineFixture.Rows, status["customStatus"]!["totalRows"]!.GetValue<int>());
    }

    [Fact]
    public async Task Rejected_rows_are_read_again_in_a_view_of_their_own_that_a_run_can_name()
    {
        // One of the rows has no URL.
        var answer = await PostAsync("ingest", """{"repo": "samples/garments", "testFraction": 0.2}""");
        var report = (await UntilEndedAsync(answer.Headers.Location!))["output"].Deserialize<IngestReport>(PipelineJson.Options)!;
        var view = $"{report.Repo}/{report.Commit}/{report.View}";
        Assert.Equal(1, report.Counts.RejectedBy[Rejection.BadUrl]);

        var nothing = await pipeline.Http.PostAsync($"/api/datasets/{view}/retry", null);
        Assert.Equal(("reasons", 409), ((await ProblemAsync(nothing)).Field, (int)nothing.StatusCode));
        var unknown = await PostAsync($"{view}/retry", """{"reasons": ["tired"]}""");
        Assert.Equal(("reasons[0]", 400), ((await ProblemAsync(unknown)).Field, (int)unknown.StatusCode));
        var missing = await PostAsync($"{report.Repo}/{report.Commit}/000000000000/retry", "");
        Assert.Equal(("view", 404), ((await ProblemAsync(missing)).Field, (int)missing.StatusCode));

        var retry = await PostAsync($"{view}/retry", """{"reasons": ["bad-url"]}""");
        Assert.Equal(HttpStatusCode.Accepted, retry.StatusCode);
        var accepted = (await retry.Content.ReadFromJsonAsync<IngestionAccepted>(PipelineJson.Options))!;
        Assert.Equal((report.Commit, accepted.Management["statusQueryGetUri"]), (accepted.Commit, retry.Headers.Location!.ToString()));
        var retried = (await UntilEndedAsync(retry.Headers.Location))["output"].Deserialize<IngestReport>(PipelineJson.Options)!;
        Assert.Equal((report.View, 1, 0), (retried.Retry!.View, retried.Retry.Rows, retried.Retry.Healed.Count));
        Assert.Equal((report.Counts.Rows, report.Counts.Stored), (retried.Counts.Rows, retried.Counts.Stored));

        var named = $$"""{"repo": "{{report.Repo}}", "revision": "{{report.Commit}}", "view": "{{retried.View}}"}""";
        var again = (await UntilEndedAsync((await PostAsync("ingest", named)).Headers.Location!))["output"];
        Assert.Equal(retried.View, again!["view"]!.GetValue<string>());
    }

    [Theory]
    [InlineData("inspect", "not json", 400, "$")]
    [InlineData("inspect", """{"repo": "nothing"}""", 400, "repo")]
    [InlineData("inspect", """{"repo": "samples/nothing"}""", 404, "repo")]
    [InlineData("inspect", """{"repo": "samples/garments", "config": "french"}""", 404, "config")]
    [InlineData("ingest", """{"repo": "samples/garments", "revision": "v9"}""", 404, "revision")]
    [InlineData("ingest", """{"repo": "samples/garments", "columns": {"image": "picture", "title": "title"}}""", 400, "columns.image")]
    [InlineData("ingest", """{"repo": "samples/garments", "maxRows": 0}""", 400, "maxRows")]
    [InlineData("ingest", """{"source": {"container": "nowhere"}}""", 404, "source.container")]
    [InlineData("inspect", """{"source": {"container": "runs"}}""", 400, "source.container")]
    public async Task A_bad_request_names_the_field(string what, string body, int status, string field)
    {
        var answer = await PostAsync(what, body);
        Assert.Equal(status, (int)answer.StatusCode);
        var problem = (await answer.Content.ReadFromJsonAsync<Problem>(PipelineJson.Options))!;
        Assert.Equal(field, problem.Field);
        Assert.NotEmpty(problem.Detail);
    }

    private Task<HttpResponseMessage> PostAsync(string what, string body) =>
        pipeline.Http.PostAsync($"/api/datasets/{what}", new StringContent(body, Encoding.UTF8, "application/json"));

    private static async Task<Problem> ProblemAsync(HttpResponseMessage answer) =>
        (await answer.Content.ReadFromJsonAsync<Problem>(PipelineJson.Options))!;

    private async Task<JsonNode> UntilEndedAsync(Uri url)
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromMinutes(2));
        while (true)
        {
            var status = JsonNode.Parse(await pipeline.Http.GetStringAsync(url, limit.Token))!;
            if (status["runtimeStatus"]!.GetValue<string>() is not ("Pending" or "Running")) return status;
            await Task.Delay(100, limit.Token);
        }
    }
}
