using System.Net;
using System.Net.Http.Headers;
using FunctionsPipeline.Datasets;
using FunctionsPipeline.SampleData;

namespace FunctionsPipeline.Tests.Datasets;

public sealed class HubClientTests
{
    private const string Repo = GarmentsDataset.Id;

    [Fact]
    public async Task A_large_file_is_read_through_the_redirect_from_any_place()
    {
        await using var hub = await SampleHub.StartAsync(new HubServerOptions { Rows = 2000 });
        var client = Client(hub);
        var file = (await client.ListParquetAsync(Repo)).Single();
        var commit = await client.GetCommitAsync(HubRepositoryKind.Dataset, Repo, HubClient.ParquetRevision);
        using var http = new HttpClient();
        var whole = await http.GetByteArrayAsync(new Uri(hub.Address, $"/datasets/{Repo}/resolve/{commit}/{file.Path}"));

        await using var stream = await client.OpenAsync(HubRepositoryKind.Dataset, Repo, commit, file.Path);

        Assert.Equal(whole.Length, stream.Length);
        Assert.True(whole.Length > 64 * 1024, "the file must not fit into the first part");
        foreach (var place in new[] { whole.Length - 100, 0, whole.Length / 2 })
        {
            var part = new byte[100];
            stream.Position = place;
            await stream.ReadExactlyAsync(part);
            Assert.Equal(whole[place..(place + 100)], part);
        }
        stream.Position = 0;
        using var copy = new MemoryStream();
        await stream.CopyToAsync(copy);
        Assert.Equal(whole, copy.ToArray());
    }

    [Fact]
    public async Task The_token_goes_to_the_hub_and_not_to_the_host_it_redirects_to()
    {
        await using var hub = await SampleHub.StartAsync(new HubServerOptions { Rows = 10, Token = "hf_secret", CdnHost = "localhost" });
        var client = Client(hub, token: "hf_secret");
        var file = (await client.ListParquetAsync(Repo)).Single();
        await using var stream = await client.OpenAsync(HubRepositoryKind.Dataset, Repo, HubClient.ParquetRevision, file.Path);
        Assert.True(stream.Length > 0);
    }

    [Fact]
    public async Task Refusals_are_told_apart()
    {
        await using var hub = await SampleHub.StartAsync(new HubServerOptions { Rows = 10, Token = "hf_secret" });
        var (anonymous, stranger, member) = (Client(hub), Client(hub, "hf_wrong"), Client(hub, "hf_secret"));

        Assert.Equal(HubError.NotFound, await ErrorOf(() => anonymous.GetCommitAsync(HubRepositoryKind.Dataset, Repo, "main")));
        Assert.Equal(HubError.BadToken, await ErrorOf(() => stranger.GetCommitAsync(HubRepositoryKind.Dataset, Repo, "main")));
        Assert.Equal(HubError.NotFound, await ErrorOf(() => member.GetCommitAsync(HubRepositoryKind.Dataset, "samples/other", "main")));
        Assert.Equal(HubError.RevisionNotFound, await ErrorOf(() => member.GetCommitAsync(HubRepositoryKind.Dataset, Repo, "v9")));
        Assert.Equal(HubError.EntryNotFound,
            await ErrorOf(() => member.OpenAsync(HubRepositoryKind.Dataset, Repo, "main", "nothing.parquet")));
    }

    [Fact]
    public async Task A_busy_hub_is_asked_again_after_the_pause_it_asks_for()
    {
        var busy = new HttpResponseMessage(HttpStatusCode.TooManyRequests)
        {
            Headers = { RetryAfter = new RetryConditionHeaderValue(TimeSpan.FromSeconds(1)) },
        };
        var server = new Answers(busy, new HttpResponseMessage(HttpStatusCode.BadGateway), Json("""{"sha":"abc"}"""));
        var client = new HubClient(new HttpClient(server), new HubOptions { FirstDelay = TimeSpan.FromMilliseconds(1) });
        var started = DateTime.UtcNow;

        Assert.Equal("abc", await client.GetCommitAsync(HubRepositoryKind.Model, "a/b", "main"));

        Assert.Equal(3, server.Requests.Count);
        Assert.True(DateTime.UtcNow - started >= TimeSpan.FromSeconds(0.9));
    }

    [Fact]
    public async Task A_hub_that_stays_busy_is_given_up_on()
    {
        var server = new Answers([.. Enumerable.Range(0, 9).Select(_ => new HttpResponseMessage(HttpStatusCode.TooManyRequests))]);
        var client = new HubClient(new HttpClient(server), new HubOptions { FirstDelay = TimeSpan.FromMilliseconds(1), Attempts = 3 });
        Assert.Equal(HubError.RateLimited, await ErrorOf(() => client.GetCommitAsync(HubRepositoryKind.Model, "a/b", "main")));
        Assert.Equal(3, server.Requests.Count);
    }

    [Fact]
    public async Task A_refusal_is_not_asked_again()
    {
        var gated = new HttpResponseMessage(HttpStatusCode.Forbidden);
        gated.Headers.Add("X-Error-Code", "GatedRepo");
        var server = new Answers(gated);
        Assert.Equal(HubError.Gated, await ErrorOf(() =>
            new HubClient(new HttpClient(server), new HubOptions()).GetCommitAsync(HubRepositoryKind.Model, "a/b", "main")));
        Assert.Single(server.Requests);
    }

    [Fact]
    public async Task A_server_that_does_not_know_ranges_is_read_whole()
    {
        var content = Enumerable.Range(0, 300_000).Select(i => (byte)(i * 7)).ToArray();
        var server = new Answers(new HttpResponseMessage(HttpStatusCode.OK) { Content = new ByteArrayContent(content) });
        var client = new HubClient(new HttpClient(server), new HubOptions());

        await using var stream = await client.OpenAsync(HubRepositoryKind.Model, "a/b", "main", "model.safetensors");
        using var copy = new MemoryStream();
        await stream.CopyToAsync(copy);

        Assert.Equal(content, copy.ToArray());
        Assert.Single(server.Requests);
    }

    [Fact]
    public async Task A_listing_goes_on_over_pages()
    {
        var first = Json("""[{"type":"file","path":"a.json","size":1},{"type":"directory","path":"sub","size":0}]""");
        first.Headers.Add("Link", "<https://huggingface.co/api/models/a/b/tree/main?cursor=2>; rel=\"next\"");
        var second = Json("""[{"type":"file","path":"b.safetensors","size":134,"lfs":{"oid":"ff","size":5000,"pointerSize":134}}]""");
        var server = new Answers(first, second);

        var files = await new HubClient(new HttpClient(server), new HubOptions()).ListFilesAsync(HubRepositoryKind.Model, "a/b", "main");

        Assert.Equal([new HubFileInfo("a.json", 1, null), new HubFileInfo("b.safetensors", 5000, "ff")], files);
        Assert.Equal("?cursor=2", server.Requests[1].Query);
    }

    [Fact]
    public void Requests_say_who_sends_them() =>
        Assert.StartsWith("FunctionsPipeline/",
            HubClient.CreateHttpClient().DefaultRequestHeaders.UserAgent.ToString(), StringComparison.Ordinal);

    private static HubClient Client(SampleHub hub, string? token = null) =>
        new(HubClient.CreateHttpClient(),
            new HubOptions { Endpoint = hub.Address, Token = token, FirstDelay = TimeSpan.FromMilliseconds(1) });

    private static async Task<HubError> ErrorOf<T>(Func<Task<T>> action) => (await Assert.ThrowsAsync<HubException>(action)).Error;

    private static HttpResponseMessage Json(string text) =>
        new(HttpStatusCode.OK) { Content = new StringContent(text, System.Text.Encoding.UTF8, "application/json") };

    private sealed class Answers(params HttpResponseMessage[] answers) : HttpMessageHandler
    {
        private readonly Queue<HttpResponseMessage> _answers = new(answers);

        public List<Uri> Requests { get; } = [];

        protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
        {
            Requests.Add(request.RequestUri!);
            return Task.FromResult(_answers.Dequeue());
        }
    }
}
