using System.Net;
using System.Net.Http.Json;
using System.Text;
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
