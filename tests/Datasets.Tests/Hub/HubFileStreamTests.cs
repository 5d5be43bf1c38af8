using System.Net;
using System.Net.Http.Headers;
using FunctionsPipeline.Datasets.Hub;
using FunctionsPipeline.SampleData;

namespace FunctionsPipeline.Datasets.Tests.Hub;

public sealed class HubFileStreamTests
{
    private const string Repo = GarmentsDataset.Id;
    private const string File = "default/train/0000.parquet";

    [Fact]
    public async Task A_large_file_is_read_through_the_redirect_from_any_place()
    {
        await using var hub = await SampleHub.StartAsync(new HubServerOptions { Rows = 2000 });
        var client = Client(hub);
        var file = (await client.ListParquetAsync(Repo)).Single();
        var commit = await client.GetCommitAsync(HubRepositoryKind.Dataset, Repo, HubClient.ParquetRevision);
        using var http = new HttpClient();
        var whole = await http.GetByteArrayAsync(new Uri(hub.Url, $"/datasets/{Repo}/resolve/{commit}/{file.Path}"));

        await using var stream = await client.OpenAsync(HubRepositoryKind.Dataset, Repo, commit, file.Path);

        Assert.Equal(whole.Length, stream.Length);
        Assert.True(whole.Length > 64 * 1024, "the file must not fit into the first range");
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
    public async Task A_server_that_does_not_know_ranges_is_read_whole()
    {
        var content = Content(300_000);
        var server = new ScriptedServer(new HttpResponseMessage(HttpStatusCode.OK) { Content = new ByteArrayContent(content) });

        await using var stream = await OpenAsync(server);

        Assert.Equal(content, await ReadAsync(stream));
        Assert.Single(server.Requests);
    }

    [Fact]
    public async Task An_empty_file_is_read_though_no_range_of_it_can_be_had()
    {
        await using var stream = await OpenAsync(new ScriptedServer(
            ScriptedServer.Status(HttpStatusCode.RequestedRangeNotSatisfiable, "Content-Range: bytes */0")));
        Assert.Empty(await ReadAsync(stream));
    }

    [Fact]
    public async Task A_part_that_was_not_asked_for_is_asked_for_again()
    {
        await using var hub = await ServeAsync(new FaultRule("/cdn/*", new WrongRangeFault()) { Times = 1 });
        await using var stream = await Client(hub).OpenAsync(HubRepositoryKind.Dataset, Repo, HubClient.ParquetRevision, File);
        Assert.Equal("PAR1"u8.ToArray(), (await ReadAsync(stream))[^4..]);
        Assert.Equal(1, hub.InjectedFaults.Single().Count);
    }

    [Fact]
    public async Task A_connection_that_breaks_is_made_anew()
    {
        await using var hub = await ServeAsync(new FaultRule("/cdn/*", new CutFault(0.9)) { Times = 2 });
        await using var stream = await Client(hub).OpenAsync(HubRepositoryKind.Dataset, Repo, HubClient.ParquetRevision, File);
        Assert.Equal("PAR1"u8.ToArray(), (await ReadAsync(stream))[^4..]);
        Assert.Equal(2, hub.InjectedFaults.Single().Count);
    }

    [Fact]
    public async Task A_file_that_changes_while_it_is_read_is_an_error_and_not_a_mixture()
    {
        var content = Content(300_000);
        await using var stream = await OpenAsync(new ScriptedServer(Part(content, 300_000 - 65_536, "v1"), Part(content, 0, "v2")));
        var failure = await Assert.ThrowsAsync<HubException>(() => ReadAsync(stream));
        Assert.Contains("changed", failure.Message, StringComparison.Ordinal);
        Assert.True(failure.IsTransient);
    }

    private static Task<Stream> OpenAsync(ScriptedServer server) =>
        new HubClient(new HttpClient(server), new HubOptions()).OpenAsync(HubRepositoryKind.Model, "a/b", "main", "model.safetensors");

    private static Task<SampleHub> ServeAsync(params FaultRule[] faults) =>
        SampleHub.StartAsync(new HubServerOptions { Rows = 2000, Faults = faults });

    private static HubClient Client(SampleHub hub) =>
        new(HubClient.CreateHttpClient(), new HubOptions { Endpoint = hub.Url, FirstDelay = TimeSpan.FromMilliseconds(1) });

    private static byte[] Content(int length) => [.. Enumerable.Range(0, length).Select(i => (byte)(i * 7))];

    private static HttpResponseMessage Part(byte[] content, int from, string etag)
    {
        var answer = new HttpResponseMessage(HttpStatusCode.PartialContent) { Content = new ByteArrayContent(content[from..]) };
        answer.Content.Headers.ContentRange = new ContentRangeHeaderValue(from, content.Length - 1, content.Length);
        answer.Headers.ETag = new EntityTagHeaderValue($"\"{etag}\"");
        return answer;
    }

    private static async Task<byte[]> ReadAsync(Stream stream)
    {
        using var copy = new MemoryStream();
        await stream.CopyToAsync(copy);
        return copy.ToArray();
    }
}
