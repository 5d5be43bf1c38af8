using System.Net;
using FunctionsPipeline.Datasets.Hub;
using FunctionsPipeline.SampleData;

namespace FunctionsPipeline.Datasets.Tests.Hub;

public sealed class HubClientTests
{
    private const string Repo = GarmentsDataset.Id;

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

        Assert.Equal(HubErrorKind.NotFound, await ErrorOf(() => anonymous.GetCommitAsync(HubRepositoryKind.Dataset, Repo, "main")));
        Assert.Equal(HubErrorKind.BadToken, await ErrorOf(() => stranger.GetCommitAsync(HubRepositoryKind.Dataset, Repo, "main")));
        Assert.Equal(HubErrorKind.NotFound, await ErrorOf(() => member.GetCommitAsync(HubRepositoryKind.Dataset, "samples/other", "main")));
        Assert.Equal(HubErrorKind.RevisionNotFound, await ErrorOf(() => member.GetCommitAsync(HubRepositoryKind.Dataset, Repo, "v9")));
        Assert.Equal(HubErrorKind.EntryNotFound,
            await ErrorOf(() => member.OpenAsync(HubRepositoryKind.Dataset, Repo, "main", "nothing.parquet")));
    }

    [Theory]
    [InlineData(403, HubErrorKind.Gated, "terms", "X-Error-Code: GatedRepo")]
    [InlineData(401, HubErrorKind.Gated, "terms", "X-Error-Code: GatedRepo")]
    [InlineData(403, HubErrorKind.Disabled, "disabled", "X-Error-Message: Access to this resource is disabled.")]
    [InlineData(403, HubErrorKind.Private, "read access", "X-Error-Message: Forbidden")]
    [InlineData(401, HubErrorKind.BadToken, "HF_TOKEN is not a valid token",
        "X-Error-Message: Invalid credentials in Authorization header")]
    [InlineData(404, HubErrorKind.NotFound, "cannot see it", "X-Error-Code: RepoNotFound")]
    [InlineData(404, HubErrorKind.RevisionNotFound, "no such branch", "X-Error-Code: RevisionNotFound")]
    [InlineData(404, HubErrorKind.EntryNotFound, "no such file", "X-Error-Code: EntryNotFound")]
    public async Task A_refusal_says_why_and_what_to_do_and_is_not_asked_again(int status, HubErrorKind error, string words, string header)
    {
        var (name, value) = (header.Split(": ")[0], header.Split(": ")[1]);
        await using var hub = await SampleHub.StartAsync(
            new HubServerOptions { Rows = 1, Faults = [new FaultRule("*/resolve/*", new StatusFault(status, (name, value)))] });

        var refusal = await Assert.ThrowsAsync<HubException>(
            () => Client(hub, "hf_secret").OpenAsync(HubRepositoryKind.Dataset, Repo, "main", "README.md"));

        Assert.Equal(error, refusal.Error);
        Assert.False(refusal.IsTransient);
        Assert.Contains(words, refusal.Message, StringComparison.Ordinal);
        Assert.Equal(1, hub.InjectedFaults.Single().Count);
    }

    [Fact]
    public async Task Info_says_what_a_repository_is()
    {
        var server = new ScriptedServer(
            ScriptedServer.Json(
                """{"sha":"abc","private":true,"gated":"manual","disabled":false,"lastModified":"2026-01-02T03:04:05.000Z"}"""),
            ScriptedServer.Json("""{"sha":"abc","private":false,"gated":false}"""),
            ScriptedServer.Json("""{"sha":"abc","disabled":true}"""));
        var client = new HubClient(new HttpClient(server), new HubOptions());

        Assert.Equal(new HubRepositoryInfo("abc", true, true, new DateTimeOffset(2026, 1, 2, 3, 4, 5, TimeSpan.Zero)),
            await client.GetInfoAsync(HubRepositoryKind.Model, "a/b", "main"));
        Assert.Equal(new HubRepositoryInfo("abc", false, false, null), await client.GetInfoAsync(HubRepositoryKind.Model, "a/b", "main"));
        Assert.Equal(HubErrorKind.Disabled, await ErrorOf(() => client.GetCommitAsync(HubRepositoryKind.Model, "a/b", "main")));
    }

    [Fact]
    public async Task A_listing_goes_on_over_pages()
    {
        var models = Directory.CreateTempSubdirectory("models-");
        try
        {
            var folder = models.CreateSubdirectory("many").FullName;
            for (var i = 0; i < 2500; i++) File.WriteAllText(Path.Combine(folder, $"{i:0000}.json"), $"{i}");
            await using var hub = await SampleHub.StartAsync(new HubServerOptions { Rows = 1, Models = models.FullName });

            var files = await Client(hub).ListFilesAsync(HubRepositoryKind.Model, "samples/many", "main");

            Assert.Equal(Enumerable.Range(0, 2500).Select(i => $"{i:0000}.json"), files.Select(f => f.Path));
        }
        finally
        {
            models.Delete(recursive: true);
        }
    }

    [Fact]
    public async Task Files_are_listed_with_what_identifies_their_content()
    {
        var server = new ScriptedServer(ScriptedServer.Json("""
            [{"type":"file","oid":"aa","path":"a.json","size":1},{"type":"directory","oid":"bb","path":"sub","size":0},
             {"type":"file","oid":"cc","path":"b.safetensors","size":134,"lfs":{"oid":"ff","size":5000,"pointerSize":134}}]
            """));
        var files = await new HubClient(new HttpClient(server), new HubOptions()).ListFilesAsync(HubRepositoryKind.Model, "a/b", "main");
        Assert.Equal([new HubFileInfo("a.json", 1, null, "aa"), new HubFileInfo("b.safetensors", 5000, "ff", "cc")], files);
    }

    [Fact]
    public async Task Everything_is_asked_of_a_mirror_below_its_path()
    {
        var first = ScriptedServer.Json("""[{"type":"file","oid":"aa","path":"a.json","size":1}]""");
        first.Headers.Add("Link",
            "<https://huggingface.co/api/models/a/b/tree/main>; rel=\"first\", "
            + "<https://huggingface.co/api/models/a/b/tree/main?cursor=2>; rel=\"next\"");
        const string Listing = """
            {"default":{"partial-train":[
               "https://huggingface.co/datasets/a/b/resolve/refs%2Fconvert%2Fparquet/default/partial-train/0000.parquet"],
             "test":["https://mirror.example/hf/datasets/a/b/resolve/refs%2Fconvert%2Fparquet/default/test/0000.parquet"]}}
            """;
        var server = new ScriptedServer(first, ScriptedServer.Json("[]"), ScriptedServer.Json(Listing),
            ScriptedServer.Status(HttpStatusCode.NotFound, "X-Error-Code: EntryNotFound"));
        var client = new HubClient(new HttpClient(server), new HubOptions { Endpoint = new Uri("https://mirror.example/hf") });

        await client.ListFilesAsync(HubRepositoryKind.Model, "a/b", "main");
        var parquet = await client.ListParquetAsync("a/b");
        await ErrorOf(() => client.OpenAsync(HubRepositoryKind.Dataset, "a/b", HubClient.ParquetRevision, parquet[0].Path));

        Assert.Equal(
            [new("default", "partial-train", "default/partial-train/0000.parquet"), new("default", "test", "default/test/0000.parquet")],
            parquet);
        Assert.Equal(
        [
            "https://mirror.example/hf/api/models/a/b/tree/main?recursive=true",
            "https://mirror.example/hf/api/models/a/b/tree/main?cursor=2",
            "https://mirror.example/hf/api/datasets/a/b/parquet",
            "https://mirror.example/hf/datasets/a/b/resolve/refs%2Fconvert%2Fparquet/default/partial-train/0000.parquet",
        ], server.Requests.Select(r => r.AbsoluteUri));
    }

    [Fact]
    public void Requests_say_who_sends_them() =>
        Assert.StartsWith("FunctionsPipeline/",
            HubClient.CreateHttpClient().DefaultRequestHeaders.UserAgent.ToString(), StringComparison.Ordinal);

    private static HubClient Client(SampleHub hub, string? token = null) =>
        new(HubClient.CreateHttpClient(),
            new HubOptions { Endpoint = hub.Url, Token = token, FirstDelay = TimeSpan.FromMilliseconds(1) });

    private static async Task<HubErrorKind> ErrorOf<T>(Func<Task<T>> action) => (await Assert.ThrowsAsync<HubException>(action)).Error;
}
