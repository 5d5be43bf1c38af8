using System.Net;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Text;
using Azure.Storage.Blobs;
using FunctionsPipeline.Contracts;
using FunctionsPipeline.FunctionApp.Predictions;
using FunctionsPipeline.Images;
using SixLabors.ImageSharp;
using SixLabors.ImageSharp.PixelFormats;

namespace FunctionsPipeline.FunctionApp.Tests;

/// <summary>Uploads and corrections over HTTP: routes that end with a name are decoded by host, proxy and worker in turn.</summary>
public sealed class ImageEndpointsTests(PipelineFixture pipeline) : IClassFixture<PipelineFixture>
{
    private static readonly byte[] Bytes = [1, 2, 3];

    [Theory]
    [InlineData("a.jpg", "a.jpg")]
    [InlineData("spring/coats/a.jpg", "spring/coats/a.jpg")]
    [InlineData("spring%2Fcoats%2fb.jpg", "spring/coats/b.jpg")]
    [InlineData("green%20coat.jpg", "green coat.jpg")]
    [InlineData("gr%C3%BCn/%E5%A4%96%E5%A5%97.jpg", "grün/外套.jpg")]
    [InlineData("c%23.jpg", "c#.jpg")]
    [InlineData("what%3F.jpg", "what?.jpg")]
    [InlineData("100%25.jpg", "100%.jpg")]
    [InlineData("a+b&c=d;e.jpg", "a+b&c=d;e.jpg")]
    [InlineData("a..b.jpg", "a..b.jpg")]
    public async Task A_name_reaches_storage_as_it_was_meant(string url, string name)
    {
        var answer = await PutAsync(url, new ByteArrayContent(Bytes));
        Assert.Equal(HttpStatusCode.Created, answer.StatusCode);
        var accepted = (await answer.Content.ReadFromJsonAsync<UploadAccepted>(PipelineJson.Options))!;
        Assert.Equal(name, accepted.Image);
        Assert.Equal(Bytes, (await Image(name).DownloadContentAsync()).Value.Content.ToArray());
        var version = (await Image(name).GetPropertiesAsync()).Value.ETag;
        Assert.Equal((version.ToString(), version.ToString("H")), (accepted.ETag, answer.Headers.ETag!.Tag));
        Assert.Equal(accepted.PredictionUrl, answer.Headers.Location!.OriginalString);
        Assert.StartsWith("/api/predictions/", accepted.PredictionUrl, StringComparison.Ordinal);
        Assert.Equal(name, Uri.UnescapeDataString(accepted.PredictionUrl["/api/predictions/".Length..]));

        Assert.Equal(HttpStatusCode.OK, (await PutCorrectionAsync(url, """{"title": "Coat"}""")).StatusCode);
        Assert.Equal(name, (await ReadCorrectionAsync(accepted.PredictionUrl)).Image);
        Assert.Equal(HttpStatusCode.NoContent, (await pipeline.Http.DeleteAsync($"/api/images/{url}")).StatusCode);
        Assert.False(await Image(name).ExistsAsync());
    }

    [Fact]
    public async Task An_uploaded_image_is_shown_listed_counted_and_has_a_timeline()
    {
        var png = TestImages.Png(64, 32);
        var accepted = (await (await PutAsync("seen/a b.png", new ByteArrayContent(png))).Content
            .ReadFromJsonAsync<UploadAccepted>(PipelineJson.Options))!;
        Assert.Equal(png, await pipeline.Http.GetByteArrayAsync("/api/images/seen/a%20b.png"));
        using var thumbnail = await pipeline.Http.GetAsync("/api/images/seen/a%20b.png?width=16");
        Assert.Equal("image/jpeg", thumbnail.Content.Headers.ContentType?.MediaType);
        Assert.Equal("nosniff", Assert.Single(thumbnail.Headers.GetValues("X-Content-Type-Options")));
        Assert.Equal(HttpStatusCode.NotFound, (await pipeline.Http.GetAsync("/api/images/seen/b.png")).StatusCode);

        var waiting = await UntilAsync(
            () => pipeline.Http.GetFromJsonAsync<UploadCounts>("/api/predictions/counts?prefix=seen", PipelineJson.Options),
            counts => counts!.Waiting == 1);
        Assert.Equal(new UploadCounts(0, 0, 0, 0, 1, true), waiting);
        // The worker of these tests is away: the reading has asked it and waits.
        var timeline = await UntilAsync(
            () => pipeline.Http.GetFromJsonAsync<Timeline>($"{accepted.PredictionUrl}/timeline", PipelineJson.Options),
            timeline => timeline!.Spans.Any(span => span.Kind == SpanKind.Timer));
        Assert.Equal(("ReadImage", "Running", null), (timeline!.Name, timeline.RuntimeStatus, timeline.EndedAt));
        Assert.Contains(timeline.Spans, span => span is { Kind: SpanKind.Activity, Name: "AskWorker", Error: null });
        var gone = await ProblemAsync(await pipeline.Http.GetAsync("/api/predictions/seen/b.png/timeline"), HttpStatusCode.NotFound);
        Assert.Equal("name", gone.Field);
        await ProblemAsync(await pipeline.Http.GetAsync("/api/timelines/nothing"), HttpStatusCode.NotFound);

        var document = new PredictionDocument
        {
            Status = PredictionStatus.Rejected, At = DateTimeOffset.UnixEpoch, Image = "seen/a b.png", ETag = accepted.ETag,
        };
        await new PredictionStore(pipeline.Azurite.Blobs).WriteAsync(document, default);
        using var list = await pipeline.Http.GetAsync("/api/predictions?prefix=seen");
        Assert.Contains("seen/a b.png", await list.Content.ReadAsStringAsync(), StringComparison.Ordinal);
        var low = await pipeline.Http.GetStringAsync("/api/predictions?prefix=seen&below=0.5");
        Assert.DoesNotContain("seen/a b.png", low, StringComparison.Ordinal);
        using var again = new HttpRequestMessage(HttpMethod.Get, "/api/predictions?prefix=seen");
        again.Headers.IfNoneMatch.Add(list.Headers.ETag!);
        Assert.Equal(HttpStatusCode.NotModified, (await pipeline.Http.SendAsync(again)).StatusCode);
        foreach (var query in new[] { "below=2", "below=x", "below=-1" })
        {
            var refused = await pipeline.Http.GetAsync($"/api/predictions/counts?{query}");
            Assert.Equal("below", (await ProblemAsync(refused, HttpStatusCode.BadRequest)).Field);
        }
    }

    private static async Task<T> UntilAsync<T>(Func<Task<T>> read, Predicate<T> isExpected)
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(60));
        while (true)
        {
            var found = await read();
            if (isExpected(found)) return found;
            await Task.Delay(100, limit.Token);
        }
    }

    [Theory]
    [InlineData("", "is missing")]
    [InlineData("%2Fa.jpg", "begin or end with '/'")]
    [InlineData("folder/", "begin or end with '/'")]
    [InlineData("a//b.jpg", "begin or end with '/'")]
    [InlineData("a%2F..%2Fb.jpg", "'..'")]
    [InlineData("a%5Cb.jpg", "backslash")]
    [InlineData("a%0Ab.jpg", "control characters")]
    public async Task A_name_that_is_none_is_refused_and_said_why(string url, string mistake)
    {
        var problem = await ProblemAsync(await PutAsync(url, new ByteArrayContent(Bytes)), HttpStatusCode.BadRequest);
        Assert.Equal("name", problem.Field);
        Assert.Contains(mistake, problem.Detail, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_name_may_be_as_long_as_its_document_allows()
    {
        var longest = string.Concat(Enumerable.Repeat("0123456789/", 93))[..1019];
        Assert.Equal(HttpStatusCode.Created, (await PutAsync(longest, new ByteArrayContent(Bytes))).StatusCode);
        var problem = await ProblemAsync(await PutAsync($"{longest}0", new ByteArrayContent(Bytes)), HttpStatusCode.BadRequest);
        Assert.Contains("1020 characters", problem.Detail, StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_image_can_be_the_only_file_of_a_form()
    {
        using var form = Form(("file", "local.png", "image/png"));
        Assert.Equal(HttpStatusCode.Created, (await PutAsync("form.png", form)).StatusCode);
        Assert.Equal("image/png", (await Image("form.png").GetPropertiesAsync()).Value.ContentType);
        Assert.Equal(Bytes, (await Image("form.png").DownloadContentAsync()).Value.Content.ToArray());

        using var two = Form(("one", "1.png", "image/png"), ("two", "2.png", "image/png"));
        var problem = await ProblemAsync(await PutAsync("two.png", two), HttpStatusCode.BadRequest);
        Assert.Contains("2 files", problem.Detail, StringComparison.Ordinal);
        using var none = new MultipartFormDataContent { { new StringContent("text"), "file" } };
        problem = await ProblemAsync(await PutAsync("none.png", none), HttpStatusCode.BadRequest);
        Assert.Contains("0 files", problem.Detail, StringComparison.Ordinal);
        using var broken = new StringContent("no form");
        broken.Headers.ContentType = MediaTypeHeaderValue.Parse("multipart/form-data; boundary=b");
        await ProblemAsync(await PutAsync("broken.png", broken), HttpStatusCode.BadRequest);
    }

    [Theory]
    [InlineData("image/jpeg", "image/jpeg")]
    [InlineData("text/html", "application/octet-stream")]
    [InlineData("application/x-www-form-urlencoded", "application/octet-stream")]
    [InlineData(null, "application/octet-stream")]
    public async Task Only_the_type_of_an_image_is_stored(string? sent, string stored)
    {
        using var content = new ByteArrayContent(Bytes);
        if (sent is not null) content.Headers.ContentType = new MediaTypeHeaderValue(sent);
        Assert.True((await PutAsync("typed.jpg", content)).IsSuccessStatusCode);
        Assert.Equal(stored, (await Image("typed.jpg").GetPropertiesAsync()).Value.ContentType);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task The_largest_image_is_stored_and_a_larger_one_refused(bool isChunked)
    {
        var most = (int)ImageLimits.Default.MaxBytes;
        using var largest = new ByteArrayContent(new byte[most]);
        Assert.True((await PutAsync("large.jpg", largest, isChunked)).IsSuccessStatusCode);
        Assert.Equal(most, (await Image("large.jpg").GetPropertiesAsync()).Value.ContentLength);
        using var larger = new ByteArrayContent(new byte[most + 1]);
        var problem = await ProblemAsync(await PutAsync("larger.jpg", larger, isChunked), HttpStatusCode.RequestEntityTooLarge);
        Assert.Contains($"{most}", problem.Detail, StringComparison.Ordinal);
        Assert.False(await Image("larger.jpg").ExistsAsync());
    }

    [Fact]
    public async Task Conditions_protect_an_image_that_is_there()
    {
        Assert.Equal(HttpStatusCode.Created, (await PutAsync("once.jpg", new ByteArrayContent(Bytes), ifNoneMatch: "*")).StatusCode);
        await ProblemAsync(await PutAsync("once.jpg", new ByteArrayContent(Bytes), ifNoneMatch: "*"), HttpStatusCode.PreconditionFailed);
        var version = (await Image("once.jpg").GetPropertiesAsync()).Value.ETag.ToString("H");
        var replaced = await PutAsync("once.jpg", new ByteArrayContent(Bytes), ifMatch: version);
        Assert.Equal(HttpStatusCode.OK, replaced.StatusCode);
        await ProblemAsync(await PutAsync("once.jpg", new ByteArrayContent(Bytes), ifMatch: version), HttpStatusCode.PreconditionFailed);
        await ProblemAsync(await PutAsync("once.jpg", new ByteArrayContent(Bytes), ifMatch: "0x1"), HttpStatusCode.BadRequest);
        await ProblemAsync(await pipeline.Http.DeleteAsync("/api/images/never.jpg"), HttpStatusCode.NotFound);
    }

    [Fact]
    public async Task A_correction_is_of_the_version_that_was_seen()
    {
        var first = (await PutAsync("seen.jpg", new ByteArrayContent(Bytes))).Headers.ETag!;
        var answer = await PutCorrectionAsync("seen.jpg", """{"title": "Green Coat", "category": "Coats", "price": 120.5}""", $"{first}");
        var correction = (await answer.Content.ReadFromJsonAsync<Correction>(PipelineJson.Options))!;
        Assert.Equal(("Green Coat", "Coats", 120.5), (correction.Title, correction.Category, correction.Price));
        Assert.Equal(first.Tag, new Azure.ETag(correction.ETag).ToString("H"));
        Assert.Equal(correction, await ReadCorrectionAsync("/api/predictions/seen.jpg"));
        const string Fields = """{"brand": "Acme", "materials": ["wool", "silk"], "weight": 250.5}""";
        Assert.True((await PutCorrectionAsync("seen.jpg", $$"""{"fields": {{Fields}}}""")).IsSuccessStatusCode);
        Assert.Equal(
            System.Text.Json.JsonSerializer.Deserialize<FieldValues>(Fields, PipelineJson.Options),
            (await ReadCorrectionAsync("/api/predictions/seen.jpg")).Fields);

        await PutAsync("seen.jpg", new ByteArrayContent(Bytes));
        await ProblemAsync(await PutCorrectionAsync("seen.jpg", """{"price": 1}""", $"{first}"), HttpStatusCode.PreconditionFailed);
        Assert.True((await PutCorrectionAsync("seen.jpg", """{"price": 1}""")).IsSuccessStatusCode);
        Assert.Equal(HttpStatusCode.NoContent, (await pipeline.Http.DeleteAsync("/api/predictions/seen.jpg/correction")).StatusCode);
        await ProblemAsync(await pipeline.Http.DeleteAsync("/api/predictions/seen.jpg/correction"), HttpStatusCode.NotFound);
        await ProblemAsync(await pipeline.Http.GetAsync("/api/predictions/seen.jpg/correction"), HttpStatusCode.NotFound);
    }

    [Theory]
    [InlineData("{}", 400, "$")]
    [InlineData("""{"title": " "}""", 400, "title")]
    [InlineData("""{"price": -1}""", 400, "price")]
    [InlineData("""{"colour": "green"}""", 400, "colour")]
    [InlineData("""{"fields": {}}""", 400, "$")]
    [InlineData("""{"fields": {"brand": null}}""", 400, "$")]
    [InlineData("""{"fields": {"Brand": "Acme"}}""", 400, "fields.Brand")]
    [InlineData("""{"fields": {"price": 12}}""", 400, "fields.price")]
    [InlineData("""{"fields": {"brand": "a\nb"}}""", 400, "fields.brand")]
    [InlineData("""{"fields": {"weight": -1}}""", 400, "fields.weight")]
    [InlineData("""{"fields": {"materials": []}}""", 400, "fields.materials")]
    [InlineData("""{"fields": {"materials": ["wool", "silk; fine"]}}""", 400, "fields.materials[1]")]
    [InlineData("""{"fields": {"brand": true}}""", 400, "fields")]
    [InlineData("""{"title": "Coat"}""", 404, "name")]
    public async Task A_correction_that_cannot_be_stored_names_the_field(string body, int status, string field) =>
        Assert.Equal(field, (await ProblemAsync(await PutCorrectionAsync("nothing.jpg", body), (HttpStatusCode)status)).Field);

    [Fact]
    public async Task A_run_learns_from_corrected_uploads_and_counts_them()
    {
        using var drawn = new Image<Rgb24>(40, 30, new Rgb24(10, 120, 20));
        using var png = new MemoryStream();
        await drawn.SaveAsPngAsync(png);
        Assert.True((await PutAsync("learned.png", new ByteArrayContent(png.ToArray()))).IsSuccessStatusCode);
        Assert.True((await PutCorrectionAsync("learned.png", """{"title": "Green Coat"}""")).IsSuccessStatusCode);

        var request = Samples.Request with
        {
            Run = "corrected",
            Dataset = new DatasetRequest { Repo = "samples/garments", ValidationFraction = 0.3 },
            BaseModel = new BaseModelRequest { Repo = "samples/tiny" },
            IncludeCorrections = true,
        };
        var started = await pipeline.Http.PostAsJsonAsync("/api/runs", request, PipelineJson.Options);
        Assert.Equal(HttpStatusCode.Accepted, started.StatusCode);
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(60));
        RunView run;
        do
        {
            await Task.Delay(100, limit.Token);
            run = (await pipeline.Http.GetFromJsonAsync<RunView>("/api/runs/corrected", PipelineJson.Options, limit.Token))!;
        }
        while (run.RuntimeStatus is "Pending" or "Running");

        Assert.True(run.Outcome is not null, run.Error);
        // Other tests have corrected uploads that are no images.
        Assert.Equal(1, run.Outcome.Corrections!.Counts.Stored);
        Assert.Equal(run.Outcome.Corrections.Counts.Rows, run.Status!.Corrections!.Rows);
        var document = await pipeline.Azurite.Blobs.GetBlobContainerClient(Containers.Runs).GetBlobClient("corrected/request.json")
            .DownloadContentAsync();
        var job = document.Value.Content.ToObjectFromJson<TrainingJob>(PipelineJson.Options)!;
        Assert.Single(job.Shards, shard => shard.Blob.StartsWith("corrections/", StringComparison.Ordinal));
    }

    private BlobClient Image(string name) =>
        pipeline.Azurite.Blobs.GetBlobContainerClient(Containers.ProductImages).GetBlobClient(name);

    private async Task<HttpResponseMessage> PutAsync(
        string url, HttpContent content, bool isChunked = false, string? ifMatch = null, string? ifNoneMatch = null)
    {
        using var request = new HttpRequestMessage(HttpMethod.Put, $"/api/images/{url}") { Content = content };
        request.Headers.TransferEncodingChunked = isChunked;
        if (ifMatch is not null) request.Headers.TryAddWithoutValidation("If-Match", ifMatch);
        if (ifNoneMatch is not null) request.Headers.TryAddWithoutValidation("If-None-Match", ifNoneMatch);
        return await pipeline.Http.SendAsync(request);
    }

    private async Task<HttpResponseMessage> PutCorrectionAsync(string url, string body, string? ifMatch = null)
    {
        using var request = new HttpRequestMessage(HttpMethod.Put, $"/api/predictions/{url}/correction")
        {
            Content = new StringContent(body, Encoding.UTF8, "application/json"),
        };
        if (ifMatch is not null) request.Headers.TryAddWithoutValidation("If-Match", ifMatch);
        return await pipeline.Http.SendAsync(request);
    }

    private async Task<Correction> ReadCorrectionAsync(string prediction) =>
        (await pipeline.Http.GetFromJsonAsync<Correction>($"{prediction}/correction", PipelineJson.Options))!;

    private static async Task<Problem> ProblemAsync(HttpResponseMessage answer, HttpStatusCode status)
    {
        Assert.Equal(status, answer.StatusCode);
        Assert.Equal("application/problem+json", answer.Content.Headers.ContentType?.MediaType);
        return (await answer.Content.ReadFromJsonAsync<Problem>(PipelineJson.Options))!;
    }

    private static MultipartFormDataContent Form(params IEnumerable<(string Field, string File, string Type)> files)
    {
        var form = new MultipartFormDataContent();
        foreach (var (field, file, type) in files)
        {
            var content = new ByteArrayContent(Bytes);
            content.Headers.ContentType = new MediaTypeHeaderValue(type);
            form.Add(content, field, file);
        }
        return form;
    }
}
