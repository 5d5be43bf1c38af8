using System.Net;
using System.Net.Http.Json;
using System.Reflection;
using System.Text;
using System.Text.Json;
using Azure.Storage.Blobs;
using Azure.Storage.Blobs.Models;
using FunctionsPipeline.Contracts;
using FunctionsPipeline.FunctionApp.Http;
using FunctionsPipeline.FunctionApp.Predictions;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Mvc;
using Microsoft.Azure.Functions.Worker;

namespace FunctionsPipeline.FunctionApp.Tests;

public class RunEndpointsTests(PipelineFixture pipeline) : IClassFixture<PipelineFixture>
{
    private const string Good = """
        {"run": "RUN",
         "dataset": {"repo": "samples/garments",
          "columns": {"image": "imageurl", "title": "title", "category": "category1_code", "price": "full_price"},
         "validationFraction": 0.3}, "baseModel": {"repo": "samples/tiny"}}
        """;

    [Theory]
    [InlineData("not json", 400, "$")]
    [InlineData("""{"run": "refused", "training": {"learningRate": 5}}""", 400, "dataset.repo")]
    [InlineData("samples/garments -> samples/nothing", 404, "dataset.repo")]
    [InlineData("\"title\": \"title\" -> \"title\": \"name\"", 400, "dataset.columns.title")]
    [InlineData("\"category\": \"category1_code\" -> \"category\": \"full_price\"", 400, "dataset.columns.category")]
    [InlineData("samples/tiny -> samples/huge", 404, "baseModel.repo")]
    [InlineData("\"validationFraction\": 0.3 -> \"revision\": \"v9\"", 404, "dataset.revision")]
    [InlineData(
        "\"validationFraction\": 0.3} -> \"validationFraction\": 0.3}, \"training\": {\"learningRate\": 2}", 400, "training.learningRate")]
    public async Task A_request_that_cannot_be_carried_out_names_the_field_and_starts_nothing(string change, int status, string field)
    {
        var answer = await PostAsync(Body("refused", change));
        Assert.Equal(status, (int)answer.StatusCode);
        Assert.Equal("application/problem+json", answer.Content.Headers.ContentType!.MediaType);
        var problem = (await answer.Content.ReadFromJsonAsync<Problem>(PipelineJson.Options))!;
        Assert.Equal(field, problem.Field);
        Assert.Equal(status, problem.Status);
        Assert.NotEmpty(problem.Detail);

        Assert.Equal(HttpStatusCode.NotFound, (await pipeline.Http.GetAsync("/api/runs/refused")).StatusCode);
        Assert.DoesNotContain(await BlobsAsync(Containers.Runs), name => name.StartsWith("refused/", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_run_goes_from_the_request_to_the_serving_model()
    {
        var answer = await PostAsync(Body("whole"));
        Assert.Equal(HttpStatusCode.Accepted, answer.StatusCode);
        Assert.Equal("/api/runs/whole", answer.Headers.Location!.ToString());
        var accepted = (await answer.Content.ReadFromJsonAsync<RunAccepted>(PipelineJson.Options))!;
        Assert.Equal("whole", accepted.Run);
        Assert.True((await pipeline.Http.GetAsync(accepted.Management!["statusQueryGetUri"])).IsSuccessStatusCode);

        var view = await UntilAsync("whole", run => run.RuntimeStatus is not ("Pending" or "Running"));
        Assert.Null(view.Error);
        Assert.Equal("Completed", view.RuntimeStatus);
        Assert.Equal(RunPhase.Done, view.Status!.Phase);
        var outcome = view.Outcome!;
        Assert.Equal(PipelineFixture.Rows, outcome.Dataset.Counts.Rows);
        Assert.Equal(outcome.Dataset.Splits["train"], outcome.Result.TrainingSamples);
        Assert.True(outcome.Dataset.Splits["validation"] > 0);
        Assert.True(outcome.Published, outcome.PublishDecision);
        Assert.Contains(
            await BlobsAsync(Containers.Models),
            name => name.StartsWith("samples--tiny@", StringComparison.Ordinal)
                && name.EndsWith("complete.json", StringComparison.Ordinal));

        var current = await pipeline.Http.GetFromJsonAsync<CurrentModel>("/api/models/current", PipelineJson.Options);
        Assert.Equal("whole", current!.Version);
        await AssertMetricsAsync("whole");
        await AssertDocumentsAsync("whole");
        await AssertTimelineAsync("whole");
        await AssertDatasetAsync(outcome.Dataset);

        var again = await PostAsync(Body("whole"));
        Assert.Equal(HttpStatusCode.Conflict, again.StatusCode);
        Assert.Equal("run", (await again.Content.ReadFromJsonAsync<Problem>(PipelineJson.Options))!.Field);
        Assert.Equal(HttpStatusCode.Conflict, (await pipeline.Http.PostAsync("/api/runs/whole/cancel", null)).StatusCode);

        // A second run on the same data that is worse does not take its place; an id is made up.
        const string Worse = "\"run\": \"whole\", -> \"training\": {\"seed\": 90},";
        var second = (await (await PostAsync(Body("whole", Worse))).Content.ReadFromJsonAsync<RunAccepted>(PipelineJson.Options))!;
        Assert.StartsWith("run-", second.Run, StringComparison.Ordinal);
        var worse = await UntilAsync(second.Run, run => run.RuntimeStatus is not ("Pending" or "Running"));
        Assert.False(worse.Outcome!.Published);
        await AssertListedAsync(second.Run, "whole");
        await AssertActivatedAsync(second.Run, "whole");
    }

    [Fact]
    public async Task The_default_template_is_followed_by_the_further_fields()
    {
        const string Change = "\"price\": \"full_price\" -> \"fields\": {\"brand\": {\"column\": \"brand\"}, "
            + "\"weightNet\": {\"column\": \"price_eur\", \"kind\": \"number\", \"unit\": \"g\"}}";
        Assert.Equal(HttpStatusCode.Accepted, (await PostAsync(Body("fields", Change))).StatusCode);
        var accepted = (await pipeline.Http.GetFromJsonAsync<RunRequest>("/api/runs/fields/request", PipelineJson.Options))!;
        Assert.Equal($"{AnswerTemplate.Default}, Brand: {{brand}}, WeightNet: {{weightNet}}", accepted.Training.AnswerTemplate);
        var run = await UntilAsync("fields", run => run.RuntimeStatus is not ("Pending" or "Running"));
        Assert.Null(run.Error);
        Assert.Equal(["brand", "weightNet"], run.Outcome!.Dataset.Fields!.Keys);

        // Of a view the fields are known when it is looked up.
        var report = run.Outcome.Dataset;
        var view = Samples.Request with
        {
            Run = "viewed",
            Dataset = new DatasetRequest { Repo = report.Repo, Revision = report.Commit, View = report.View },
            BaseModel = new BaseModelRequest { Repo = "samples/tiny" },
        };
        var wrong = view with { Training = new TrainingSettings { AnswerTemplate = "{colour}" } };
        var refused = await pipeline.Http.PostAsJsonAsync("/api/runs", wrong, PipelineJson.Options);
        Assert.Equal("training.answerTemplate", (await refused.Content.ReadFromJsonAsync<Problem>(PipelineJson.Options))!.Field);
        await AssertSweepTemplatesAsync(view with { Run = null });
        Assert.Equal(HttpStatusCode.Accepted, (await pipeline.Http.PostAsJsonAsync("/api/runs", view, PipelineJson.Options)).StatusCode);
        var second = await UntilAsync("viewed", run => run.RuntimeStatus is not ("Pending" or "Running"));
        Assert.Equal(report.View, second.Outcome!.Dataset.View);
    }

    private async Task AssertSweepTemplatesAsync(RunRequest run)
    {
        var wrong = await PostAsync(run, AnswerTemplate.Default, "{brand}, {colour}");
        Assert.Equal(HttpStatusCode.BadRequest, wrong.StatusCode);
        var problem = (await wrong.Content.ReadFromJsonAsync<Problem>(PipelineJson.Options))!;
        Assert.Equal("space.answerTemplate.values[1]", problem.Field);
        Assert.Contains("names the field 'colour'; there are title, category, price, brand", problem.Detail, StringComparison.Ordinal);
        var common = await PostAsync(run with { Training = new TrainingSettings { AnswerTemplate = "{colour}" } }, "{brand}");
        Assert.Equal("run.training.answerTemplate", (await common.Content.ReadFromJsonAsync<Problem>(PipelineJson.Options))!.Field);

        Assert.Equal(HttpStatusCode.Accepted, (await PostAsync(run, AnswerTemplate.Default, "{brand}")).StatusCode);
        var sweep = (await pipeline.Http.GetFromJsonAsync<SweepView>("/api/sweeps/templates", PipelineJson.Options))!;
        Assert.Equal(
            [$"{AnswerTemplate.Default}, Brand: {{brand}}, WeightNet: {{weightNet}}", "{brand}"],
            sweep.Runs!.Select(of => of.Settings["answerTemplate"].GetString()));
        Assert.Equal(HttpStatusCode.Accepted, (await pipeline.Http.PostAsync("/api/sweeps/templates/cancel", null)).StatusCode);

        Task<HttpResponseMessage> PostAsync(RunRequest common, params string[] templates) =>
            pipeline.Http.PostAsJsonAsync(
                "/api/sweeps", new { sweep = "templates", run = common, space = new { answerTemplate = new { values = templates } } },
                PipelineJson.Options);
    }

    private async Task AssertActivatedAsync(string version, string before)
    {
        var answer = await pipeline.Http.PostAsJsonAsync($"/api/models/{version}/activate", new { reason = "it knows hats" });
        Assert.True(answer.IsSuccessStatusCode, await answer.Content.ReadAsStringAsync());
        var current = (await answer.Content.ReadFromJsonAsync<CurrentModel>(PipelineJson.Options))!;
        Assert.Equal(current, await pipeline.Http.GetFromJsonAsync<CurrentModel>("/api/models/current", PipelineJson.Options));
        Assert.Equal((version, before, "it knows hats"), (current.Version, current.Before, current.Reason));
        var history = (await pipeline.Http.GetFromJsonAsync<ModelChangeList>("/api/models/history", PipelineJson.Options))!;
        Assert.Equal([version, before], history.Changes.Select(change => change.Version));
        var models = (await pipeline.Http.GetFromJsonAsync<ModelList>("/api/models", PipelineJson.Options))!.Models;
        Assert.Equal(version, Assert.Single(models, model => model.Serves).Version);
    }

    private async Task AssertMetricsAsync(string run)
    {
        var path = $"/api/runs/{run}/metrics";
        var answer = await pipeline.Http.GetAsync(path);
        Assert.Contains("\"loss\":1.25", await answer.Content.ReadAsStringAsync(), StringComparison.Ordinal);
        Assert.Contains("\"step\":3", await pipeline.Http.GetStringAsync($"{path}?afterStep=2"), StringComparison.Ordinal);
        Assert.Empty(await pipeline.Http.GetStringAsync($"{path}?afterStep=3"));
        Assert.Equal(HttpStatusCode.BadRequest, (await pipeline.Http.GetAsync($"{path}?afterStep=last")).StatusCode);

        using var again = new HttpRequestMessage(HttpMethod.Get, path);
        again.Headers.IfNoneMatch.Add(answer.Headers.ETag!);
        var unchanged = await pipeline.Http.SendAsync(again);
        Assert.Equal(HttpStatusCode.NotModified, unchanged.StatusCode);
        Assert.Equal(answer.Headers.ETag, unchanged.Headers.ETag);
    }

    private async Task AssertDocumentsAsync(string run)
    {
        var request = (await pipeline.Http.GetFromJsonAsync<RunRequest>($"/api/runs/{run}/request", PipelineJson.Options))!;
        Assert.Equal((run, "samples/garments", 40), (request.Run, request.Dataset.Repo, request.Dataset.Revision.Length));

        var summary = (await pipeline.Http.GetFromJsonAsync<RunSummary>($"/api/runs/{run}/summary", PipelineJson.Options))!;
        Assert.Equal((run, "samples/garments", null), (summary.Run, summary.Dataset, summary.Sweep));
        Assert.Equal([new CurvePoint(3, 1.25)], summary.TrainingLoss);
        Assert.Equal([0, 1, 2], summary.ValidationLoss.Select(point => point.Step));
        Assert.True(summary.Result!.Succeeded);
        await AssertUnchangedAsync($"/api/runs/{run}/summary");
        await AssertUnchangedAsync($"/api/runs/{run}");

        var runs = pipeline.Azurite.Blobs.GetBlobContainerClient(Containers.Runs);
        var blobs = new RunBlobs(run);
        Assert.Equal(HttpStatusCode.NotFound, (await pipeline.Http.GetAsync($"/api/runs/{run}/samples")).StatusCode);
        var shownAnswer = new GalleryAnswer(0, "a hat", new Confidence(0.5, 0.5, null, null));
        var gallery = new SampleGallery([new GallerySample("train-1.png", "a coat", [shownAnswer])]);
        await runs.UploadBlobAsync(blobs.Gallery, BinaryData.FromObjectAsJson(gallery, PipelineJson.Options));
        await runs.UploadBlobAsync($"{blobs.Samples}train-1.png", BinaryData.FromBytes(TestImages.Png(40, 20)));
        var shown = (await pipeline.Http.GetFromJsonAsync<SampleGallery>($"/api/runs/{run}/samples", PipelineJson.Options))!;
        Assert.Equal([shownAnswer], Assert.Single(shown.Samples).Answers);
        await AssertUnchangedAsync($"/api/runs/{run}/samples");
        var image = await pipeline.Http.GetAsync($"/api/runs/{run}/samples/train-1.png?width=16");
        Assert.Equal((HttpStatusCode.OK, "image/jpeg"), (image.StatusCode, image.Content.Headers.ContentType?.MediaType));
        Assert.Equal(HttpStatusCode.NotFound, (await pipeline.Http.GetAsync($"/api/runs/{run}/samples/train-2.png")).StatusCode);

        Assert.Empty((await AnswersAsync("")).Answers);
        var answers = new List<EvaluatedAnswer>();
        foreach (var model in new[] { EvaluatedAnswer.BaseModel, EvaluatedAnswer.FineTunedModel })
        {
            for (var i = 0; i < 5; i++)
            {
                var truth = new SampleLabels($"train-{i}", "5a", "Coat", "Coats", 12);
                answers.Add(new EvaluatedAnswer(
                    model, i < 3 ? Splits.Validation : Splits.Test, truth, $"{model} {i}", new Confidence(0.9, 0.8, null, null)));
            }
        }
        var lines = string.Concat(answers.Select(answer => JsonSerializer.Serialize(answer, PipelineJson.Compact) + "\n"));
        await runs.UploadBlobAsync(blobs.Predictions, BinaryData.FromString(lines));
        Assert.Equal(answers, (await AnswersAsync("")).Answers);
        var first = await AnswersAsync("?model=fine-tuned&split=validation&top=2");
        Assert.Equal(answers[5..7], first.Answers);
        var rest = await AnswersAsync($"?model=fine-tuned&split=validation&top=2&continuation={first.Continuation}");
        Assert.Equal((answers[7], null), (Assert.Single(rest.Answers), rest.Continuation));
        foreach (var query in new[] { "model=mine", "split=all", "top=0", "continuation=1", "continuation=x", "continuation=99999" })
        {
            var refused = await pipeline.Http.GetAsync($"/api/runs/{run}/answers?{query}");
            Assert.Equal(HttpStatusCode.BadRequest, refused.StatusCode);
            Assert.Equal(query.Split('=')[0], (await refused.Content.ReadFromJsonAsync<Problem>(PipelineJson.Options))!.Field);
        }

        async Task<AnswerPage> AnswersAsync(string query) =>
            (await pipeline.Http.GetFromJsonAsync<AnswerPage>($"/api/runs/{run}/answers{query}", PipelineJson.Options))!;
    }

    private async Task AssertUnchangedAsync(string path)
    {
        var answer = await pipeline.Http.GetAsync(path);
        using var again = new HttpRequestMessage(HttpMethod.Get, path);
        again.Headers.IfNoneMatch.Add(answer.Headers.ETag!);
        Assert.Equal(HttpStatusCode.NotModified, (await pipeline.Http.SendAsync(again)).StatusCode);
    }

    private async Task AssertTimelineAsync(string run)
    {
        var timeline = (await pipeline.Http.GetFromJsonAsync<Timeline>($"/api/timelines/{run}", PipelineJson.Options))!;
        Assert.Equal((run, "FineTune", "Completed", 0), (timeline.Instance, timeline.Name, timeline.RuntimeStatus, timeline.LeftOut));
        Assert.All(timeline.Spans, span => Assert.InRange(span.EndedAt!.Value, span.StartedAt, timeline.EndedAt!.Value));
        Assert.Equal(timeline.Spans.OrderBy(span => span.StartedAt), timeline.Spans);
        var ingestion = Assert.Single(timeline.Spans, span => span.Kind == SpanKind.SubOrchestration);
        Assert.Equal(("IngestDataset", $"{run}.ingest"), (ingestion.Name, ingestion.Instance));
        foreach (var activity in new[] { "MirrorBaseModel", "StartGpuJob", "PublishModel" })
        {
            var span = Assert.Single(timeline.Spans, span => span.Name == activity);
            Assert.Equal((SpanKind.Activity, 1, null), (span.Kind, span.Attempt, span.Error));
        }
        Assert.Contains(timeline.Spans, span => span.Kind == SpanKind.Timer && span.EndedAt - span.StartedAt > TimeSpan.FromSeconds(0.5));

        var below = (await pipeline.Http.GetFromJsonAsync<Timeline>($"/api/timelines/{ingestion.Instance}", PipelineJson.Options))!;
        Assert.Equal("IngestDataset", below.Name);
        Assert.Contains(below.Spans, span => span.Name == "BuildCatalog");
    }

    private async Task AssertDatasetAsync(IngestReport report)
    {
        var datasets = (await pipeline.Http.GetFromJsonAsync<DatasetViewList>("/api/datasets", PipelineJson.Options))!.Datasets;
        Assert.Contains(datasets, dataset => (dataset.Repo, dataset.Commit, dataset.View) == (report.Repo, report.Commit, report.View));
        var path = $"/api/datasets/{report.Repo}/{report.Commit}/{report.View}";
        var shown = (await pipeline.Http.GetFromJsonAsync<IngestReport>(path, PipelineJson.Options))!;
        Assert.Equal(report.Counts.Stored, shown.Counts.Stored);
        var rows = (await pipeline.Http.GetFromJsonAsync<RowPage>($"{path}/rows?top=1000", PipelineJson.Options))!;
        Assert.Equal((PipelineFixture.Rows, null), (rows.Rows.Count, rows.Continuation));
        Assert.Equal(report.Counts.Stored, rows.Rows.Count(row => row.State == RowState.Stored));
        Assert.Equal(report.Counts.Duplicates, rows.Rows.Count(row => row.State == RowState.Duplicate));
        var row = rows.Rows.First(row => row.State == RowState.Stored);
        var image = await pipeline.Http.GetAsync($"/api/datasets/{report.Repo}/images/{row.Sha256}");
        Assert.Equal(row.Bytes, image.Content.Headers.ContentLength);
        Assert.StartsWith("image/", image.Content.Headers.ContentType!.MediaType, StringComparison.Ordinal);
        Assert.Contains("immutable", image.Headers.CacheControl!.ToString(), StringComparison.Ordinal);
        var unknown = new string('0', 64);
        Assert.Equal(HttpStatusCode.NotFound, (await pipeline.Http.GetAsync($"/api/datasets/{report.Repo}/images/{unknown}")).StatusCode);
        Assert.Equal(HttpStatusCode.BadRequest, (await pipeline.Http.GetAsync($"/api/datasets/{report.Repo}/images/..%2F")).StatusCode);
        Assert.Equal(HttpStatusCode.NotFound, (await pipeline.Http.GetAsync($"{path[..^1]}/rows")).StatusCode);
        Assert.Equal(HttpStatusCode.NotFound, (await pipeline.Http.GetAsync(path[..^1])).StatusCode);
        foreach (var query in new[] { "state=good", "split=all", "top=1001", "continuation=train-00000", "continuation=train-00000:1" })
        {
            var refused = await pipeline.Http.GetAsync($"{path}/rows?{query}");
            Assert.Equal(HttpStatusCode.BadRequest, refused.StatusCode);
            Assert.Equal(query.Split('=')[0], (await refused.Content.ReadFromJsonAsync<Problem>(PipelineJson.Options))!.Field);
        }
    }

    private async Task AssertListedAsync(string newer, string older)
    {
        var all = await ListAsync("");
        Assert.True(all.FindIndex(run => run.Run == newer) < all.FindIndex(run => run.Run == older));
        Assert.DoesNotContain(all, run => run.Run.Contains("ingest", StringComparison.Ordinal));
        var completed = all.Single(run => run.Run == older);
        Assert.Equal("Completed", completed.RuntimeStatus);
        Assert.Null(completed.Outcome);

        Assert.Equal(all.Select(run => run.Run), (await ListAsync("top=1")).Select(run => run.Run));
        Assert.Contains(await ListAsync("top=1&status=completed,failed"), run => run.Run == older);
        Assert.DoesNotContain(await ListAsync("top=1&status=Failed"), run => run.Run == older);
        Assert.Empty(await ListAsync("createdTo=2020-01-01T00:00:00Z"));
        Assert.Empty(await ListAsync($"createdFrom={DateTime.UtcNow.AddDays(1):O}"));
    }

    /// <summary>All pages of the list, which it asks for one after another.</summary>
    private async Task<List<RunView>> ListAsync(string query)
    {
        var runs = new List<RunView>();
        for (string? continuation = ""; continuation is not null;)
        {
            var path = $"/api/runs?{query}&continuation={Uri.EscapeDataString(continuation)}";
            var page = (await pipeline.Http.GetFromJsonAsync<RunPage>(path, PipelineJson.Options))!;
            if (query.Contains("top=1", StringComparison.Ordinal)) Assert.InRange(page.Runs.Count, 0, 1);
            runs.AddRange(page.Runs);
            continuation = page.Continuation;
        }
        return runs;
    }

    [Theory]
    [InlineData("top=0", "top")]
    [InlineData("top=many", "top")]
    [InlineData("status=Sleeping", "status")]
    [InlineData("status=1", "status")]
    [InlineData("createdFrom=yesterday", "createdFrom")]
    [InlineData("createdTo=31.12.", "createdTo")]
    public async Task A_list_that_cannot_be_asked_for_names_the_parameter(string query, string field)
    {
        var answer = await pipeline.Http.GetAsync($"/api/runs?{query}");
        Assert.Equal(HttpStatusCode.BadRequest, answer.StatusCode);
        Assert.Equal(field, (await answer.Content.ReadFromJsonAsync<Problem>(PipelineJson.Options))!.Field);
    }

    [Theory]
    [InlineData("/api/runs", "/api/runs/r1")]
    [InlineData("/pipeline/v1/runs/", "/pipeline/v1/runs/r1")]
    [InlineData("/runs", "/runs/r1")]
    public void The_location_of_a_run_follows_the_route_prefix(string path, string location)
    {
        var http = new DefaultHttpContext();
        http.Request.Path = path;
        Assert.Equal(location, RunEndpoints.Location(http.Request, "r1"));
    }

    [Fact]
    public async Task A_cancelled_run_ends_and_its_job_is_stopped()
    {
        Assert.Equal(HttpStatusCode.Accepted, (await PostAsync(Body("endless"))).StatusCode);
        var training = await UntilAsync("endless", run => run.Status?.Training is not null);
        Assert.Equal(RunPhase.Training, training.Status!.Phase);
        Assert.Equal(3, training.Status.Training!.Step);
        Assert.Equal(PipelineFixture.Rows, training.Status.Rows!.Rows);

        Assert.Equal(HttpStatusCode.Accepted, (await pipeline.Http.PostAsync("/api/runs/endless/cancel", null)).StatusCode);
        await UntilAsync("endless", run => run.RuntimeStatus == "Terminated");
        Assert.Equal(HttpStatusCode.Conflict, (await pipeline.Http.PostAsync("/api/runs/endless/cancel", null)).StatusCode);
        Assert.Contains("asked to stop", pipeline.JobLog("endless"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_run_that_could_not_be_trained_is_refused_at_once()
    {
        await using var host = await pipeline.StartAsync(new Dictionary<string, string?>
        {
            ["GpuWorker__Command"] = "",
            ["AzureFunctionsJobHost__extensions__durableTask__hubName"] = "Untrainable",
        });
        using var http = new HttpClient { BaseAddress = host.Url };
        var answer = await http.PostAsync("/api/runs", new StringContent(Body("untrainable"), Encoding.UTF8, "application/json"));
        Assert.Equal(HttpStatusCode.ServiceUnavailable, answer.StatusCode);
        var problem = (await answer.Content.ReadFromJsonAsync<Problem>(PipelineJson.Options))!;
        Assert.Contains("GpuWorker:Command", problem.Detail, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_run_whose_job_cannot_be_started_fails_and_says_why()
    {
        await using var host = await pipeline.StartAsync(new Dictionary<string, string?>
        {
            ["GpuWorker__Command"] = "/nowhere/gpu-worker",
            ["AzureFunctionsJobHost__extensions__durableTask__hubName"] = "Failing",
        });
        using var http = new HttpClient { BaseAddress = host.Url };
        var answer = await http.PostAsync("/api/runs", new StringContent(Body("failing"), Encoding.UTF8, "application/json"));
        Assert.Equal(HttpStatusCode.Accepted, answer.StatusCode);

        var view = await UntilAsync("failing", run => run.RuntimeStatus is not ("Pending" or "Running"), http);
        Assert.Equal("Failed", view.RuntimeStatus);
        Assert.Contains("cannot be started as '/nowhere/gpu-worker' (setting GpuWorker:Command)", view.Error, StringComparison.Ordinal);
        Assert.DoesNotContain("Task '", view.Error, StringComparison.Ordinal);

        var timeline = (await http.GetFromJsonAsync<Timeline>("/api/timelines/failing", PipelineJson.Options))!;
        var failed = Assert.Single(timeline.Spans, span => span.Error is not null);
        Assert.Equal((SpanKind.Activity, "StartGpuJob"), (failed.Kind, failed.Name));
        Assert.Contains("cannot be started as '/nowhere/gpu-worker'", failed.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task One_trace_leads_from_the_request_to_the_GPU_job()
    {
        await using var host = await pipeline.StartAsync(new Dictionary<string, string?>
        {
            // Spans are recorded when they are to be sent somewhere, although nothing listens there.
            ["OTEL_EXPORTER_OTLP_ENDPOINT"] = "http://127.0.0.1:9",
            ["AzureFunctionsJobHost__extensions__durableTask__hubName"] = "Traced",
        });
        using var http = new HttpClient { BaseAddress = host.Url };
        using var request = new HttpRequestMessage(HttpMethod.Post, "/api/runs")
        {
            Content = new StringContent(Body("traced"), Encoding.UTF8, "application/json"),
            Headers = { { "traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01" } },
        };
        Assert.Equal(HttpStatusCode.Accepted, (await http.SendAsync(request)).StatusCode);
        await UntilAsync("traced", run => run.RuntimeStatus == "Completed", http);
        Assert.Contains("TRACEPARENT=00-0af7651916cd43dd8448eb211c80319c-", pipeline.JobLog("traced"), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("GET", "/api/runs/nothing")]
    [InlineData("GET", "/api/runs/nothing/metrics")]
    [InlineData("GET", "/api/runs/nothing/request")]
    [InlineData("GET", "/api/runs/nothing/summary")]
    [InlineData("GET", "/api/runs/nothing/samples")]
    [InlineData("GET", "/api/runs/nothing/answers")]
    [InlineData("POST", "/api/runs/nothing/cancel")]
    public async Task A_run_that_is_not_there_is_a_problem(string method, string path)
    {
        using var request = new HttpRequestMessage(new HttpMethod(method), path);
        var answer = await pipeline.Http.SendAsync(request);
        Assert.Equal(HttpStatusCode.NotFound, answer.StatusCode);
        Assert.Equal("run", (await answer.Content.ReadFromJsonAsync<Problem>(PipelineJson.Options))!.Field);
    }

    [Fact]
    public async Task Health_tells_storage_from_the_worker()
    {
        var health = await pipeline.Http.GetStringAsync("/api/health");
        Assert.Equal(new Health("ok", "unreachable"), JsonSerializer.Deserialize<Health>(health, PipelineJson.Options));
        var details = (await pipeline.Http.GetFromJsonAsync<Health>("/api/health/details", PipelineJson.Options))!;
        Assert.Equal("ok", details.Storage);
        Assert.StartsWith("unreachable: ", details.Worker, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Health_tells_no_address_and_no_reason_to_those_without_a_key()
    {
        // Nothing listens at either.
        var blobs = new BlobServiceClient("DefaultEndpointsProtocol=http;AccountName=a;AccountKey=YQ==;BlobEndpoint=http://127.0.0.1:9/a;");
        var http = new HttpClient { BaseAddress = new Uri("http://127.0.0.1:9") };
        var worker = new PredictionClient(http, TimeSpan.FromMinutes(1), TimeProvider.System);
        var functions = new HealthEndpoints(blobs, worker);
        var request = new DefaultHttpContext().Request;
        var anonymous = Assert.IsType<ContentResult>(await functions.GetHealth(request, default));
        Assert.Equal(503, anonymous.StatusCode);
        var told = JsonSerializer.Deserialize<Health>(anonymous.Content!, PipelineJson.Options);
        Assert.Equal(new Health("unreachable", "unreachable"), told);

        var details = Assert.IsType<ContentResult>(await functions.GetHealthDetails(request, default));
        Assert.Contains("127.0.0.1", details.Content, StringComparison.Ordinal);
        var triggers = typeof(HealthEndpoints).GetMethods().SelectMany(method => method.GetParameters())
            .Select(parameter => parameter.GetCustomAttribute<HttpTriggerAttribute>()).OfType<HttpTriggerAttribute>();
        Assert.Equal(AuthorizationLevel.Function, triggers.Single(trigger => trigger.Route == "health/details").AuthLevel);
    }

    /// <summary>The good request, changed by "what -> into", or something else altogether.</summary>
    private static string Body(string run, string? change = null)
    {
        var body = Good.Replace("RUN", run, StringComparison.Ordinal);
        if (change is null) return body;
        if (change.Split("->") is not [var what, var into]) return change;
        Assert.Contains(what.Trim(), body, StringComparison.Ordinal);
        return body.Replace(what.Trim(), into.Trim(), StringComparison.Ordinal);
    }

    private Task<HttpResponseMessage> PostAsync(string body) =>
        pipeline.Http.PostAsync("/api/runs", new StringContent(body, Encoding.UTF8, "application/json"));

    private async Task<RunView> UntilAsync(string run, Func<RunView, bool> condition, HttpClient? http = null)
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(60));
        while (true)
        {
            var view = (await (http ?? pipeline.Http).GetFromJsonAsync<RunView>($"/api/runs/{run}", PipelineJson.Options, limit.Token))!;
            if (condition(view)) return view;
            Assert.True(view.RuntimeStatus is "Pending" or "Running", $"{view.RuntimeStatus}: {view.Error}");
            await Task.Delay(100, limit.Token);
        }
    }

    private async Task<List<string>> BlobsAsync(string container)
    {
        var names = new List<string>();
        await foreach (BlobItem blob in pipeline.Azurite.Blobs.GetBlobContainerClient(container).GetBlobsAsync()) names.Add(blob.Name);
        return names;
    }
}
