using System.Net;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using FunctionsPipeline.Contracts;
using FunctionsPipeline.Images;

namespace FunctionsPipeline.SampleData.Tests;

public sealed class FaultInjectionTests : IDisposable
{
    private const string Picture = "/pictures/40000000";
    private const string Parquet = "/datasets/samples/garments/resolve/refs%2Fconvert%2Fparquet/default/train/0000.parquet";

    private readonly HttpClient _http = new();

    [Fact]
    public async Task A_status_comes_with_its_headers_as_often_as_it_is_asked_for()
    {
        await using var hub = await ServeAsync(new FaultRule("/api/*", new StatusFault(429, ("Retry-After", "7"))) { Times = 2 });
        for (var i = 0; i < 2; i++)
        {
            var refusal = await GetAsync(hub, "/api/datasets/samples/garments");
            Assert.Equal(HttpStatusCode.TooManyRequests, refusal.StatusCode);
            Assert.Equal(TimeSpan.FromSeconds(7), refusal.Headers.RetryAfter!.Delta);
        }
        Assert.Equal(HttpStatusCode.OK, (await GetAsync(hub, "/api/datasets/samples/garments")).StatusCode);
        Assert.Equal([new FaultCount("status-429", "/api/datasets/samples/garments", 2)], hub.InjectedFaults);
        Assert.Equal(hub.InjectedFaults, await _http.GetFromJsonAsync<FaultCount[]>(new Uri(hub.Url, "/faults")));
    }

    [Fact]
    public async Task A_damaged_picture_keeps_its_length_and_is_no_picture()
    {
        await using var hub = await ServeAsync(new FaultRule("/pictures/*", new CorruptFault()) { Times = 1 });
        var damaged = await _http.GetByteArrayAsync(new Uri(hub.Url, Picture));
        var sound = await _http.GetByteArrayAsync(new Uri(hub.Url, Picture));

        Assert.Equal(sound.Length, damaged.Length);
        Assert.Equal(sound[..(sound.Length / 2)], damaged[..(sound.Length / 2)]);
        Assert.Equal(Rejection.Truncated, Assert.Throws<UnreadableImageException>(() => ImageReader.Read(damaged)).Reason);
        ImageReader.Read(sound).Dispose();
    }

    [Fact]
    public async Task A_cut_connection_ends_an_answer_in_the_middle_of_the_file()
    {
        await using var hub = await ServeAsync(new FaultRule("*.parquet", new CutFault(0.25)) { Times = 1 });
        var whole = (await (await GetAsync(hub, Parquet, new RangeHeaderValue(null, 8))).Content.ReadAsByteArrayAsync()).Length;
        Assert.Empty(hub.InjectedFaults);
        using var answer = await _http.GetAsync(new Uri(hub.Url, Parquet), HttpCompletionOption.ResponseHeadersRead);
        var (bytes, isWhole) = await ReadAsync(await answer.Content.ReadAsStreamAsync());

        Assert.Equal(8, whole);
        Assert.False(isWhole);
        Assert.Equal(answer.Content.Headers.ContentLength / 4, bytes);
        Assert.Equal("cut", Assert.Single(hub.InjectedFaults).Kind);
        Assert.Equal(answer.Content.Headers.ContentLength, (await _http.GetByteArrayAsync(new Uri(hub.Url, Parquet))).Length);
    }

    [Fact]
    public async Task A_stalled_answer_begins_and_does_not_go_on()
    {
        await using var hub = await ServeAsync(new FaultRule("/pictures/*", new StallFault(0)));
        using var answer = await _http.GetAsync(new Uri(hub.Url, Picture), HttpCompletionOption.ResponseHeadersRead);
        await using var body = await answer.Content.ReadAsStreamAsync();
        using var limit = new CancellationTokenSource(TimeSpan.FromMilliseconds(100));

        await Assert.ThrowsAnyAsync<OperationCanceledException>(async () => await body.ReadExactlyAsync(new byte[1], limit.Token));
        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
    }

    [Fact]
    public async Task A_request_can_be_left_without_an_answer()
    {
        await using var hub = await ServeAsync(new FaultRule("/api/*", new StallBeforeAnswerFault()));
        using var limit = new CancellationTokenSource(TimeSpan.FromMilliseconds(100));
        await Assert.ThrowsAnyAsync<OperationCanceledException>(
            () => _http.GetAsync(new Uri(hub.Url, "/api/datasets/samples/garments"), limit.Token));
    }

    [Fact]
    public async Task Ranges_can_be_ignored_or_mistaken()
    {
        await using var hub = await ServeAsync(
            new FaultRule("/cdn/*", new NoRangesFault()) { Times = 1 },
            new FaultRule("/cdn/*", new WrongRangeFault()) { Times = 2 });
        var whole = await _http.GetByteArrayAsync(new Uri(hub.Url, Parquet));

        var ignored = await GetAsync(hub, Parquet, new RangeHeaderValue(10, 19));
        var shifted = await GetAsync(hub, Parquet, new RangeHeaderValue(10, 19));
        var shortened = await GetAsync(hub, Parquet, new RangeHeaderValue(null, 4));

        Assert.Equal(HttpStatusCode.OK, ignored.StatusCode);
        Assert.Equal(whole, await ignored.Content.ReadAsByteArrayAsync());
        Assert.Equal(HttpStatusCode.PartialContent, shifted.StatusCode);
        Assert.Equal(11, shifted.Content.Headers.ContentRange!.From);
        Assert.Equal(whole[11..21], await shifted.Content.ReadAsByteArrayAsync());
        Assert.Equal(whole[^3..], await shortened.Content.ReadAsByteArrayAsync());
    }

    [Theory]
    [InlineData("/datasets/samples/garments/resolve/main/README.md", "ETag")]
    [InlineData(Parquet, "X-Linked-Etag")]
    public async Task Another_version_can_be_announced(string path, string header)
    {
        await using var hub = await ServeAsync(new FaultRule("*/resolve/*", new WrongEtagFault()) { Times = 1 });
        using var http = new HttpClient(new HttpClientHandler { AllowAutoRedirect = false });
        var wrong = await http.GetAsync(new Uri(hub.Url, path));
        var right = await http.GetAsync(new Uri(hub.Url, path));
        Assert.NotEqual(right.Headers.GetValues(header).Single(), wrong.Headers.GetValues(header).Single());
        Assert.Equal(await right.Content.ReadAsStringAsync(), await wrong.Content.ReadAsStringAsync());
    }

    [Fact]
    public async Task What_has_nothing_to_spoil_is_served_and_not_counted()
    {
        await using var hub = await ServeAsync(new FaultRule("*", new CorruptFault()) { Times = 1 });
        Assert.Equal(HttpStatusCode.NotFound, (await GetAsync(hub, "/pictures/1")).StatusCode);
        Assert.Empty(hub.InjectedFaults);
    }

    [Fact]
    public void On_a_bad_day_one_picture_in_a_hundred_has_each_fault_and_none_has_two()
    {
        var faults = new FaultInjection(FaultPresets.BadDay, seed: 0);
        var rules = Enumerable.Range(0, 3040).Select(i => faults.RulesFor($"/pictures/{40_000_000 + i}").ToList()).ToList();

        Assert.All(rules, r => Assert.InRange(r.Count, 0, 1));
        var counts = rules.SelectMany(r => r).CountBy(r => r.Fault.Kind).ToDictionary();
        Assert.Equal(["corrupt", "stall", "status-404", "status-503"], counts.Keys.Order());
        Assert.All(counts.Values, count => Assert.InRange(count, 15, 45));
    }

    [Fact]
    public void The_choice_depends_on_the_seed_alone()
    {
        var rule = new FaultRule("*", new StallFault()) { Share = 0.5 };
        string Chosen(int seed) => string.Concat(
            Enumerable.Range(0, 200).Select(i => new FaultInjection([rule], seed).RulesFor($"/{i}").Count()));
        Assert.Equal(Chosen(1), Chosen(1));
        Assert.NotEqual(Chosen(1), Chosen(2));
    }

    [Fact]
    public async Task Shares_of_more_than_everything_are_refused()
    {
        var rule = new FaultRule("*", new StallFault()) { Share = 0.6 };
        await Assert.ThrowsAsync<InvalidDataException>(() => ServeAsync(rule, rule));
    }

    public void Dispose() => _http.Dispose();

    private static Task<SampleHub> ServeAsync(params FaultRule[] faults) =>
        SampleHub.StartAsync(new HubServerOptions { Rows = 20, Faults = faults });

    private Task<HttpResponseMessage> GetAsync(SampleHub hub, string path, RangeHeaderValue? range = null) =>
        _http.SendAsync(new HttpRequestMessage(HttpMethod.Get, new Uri(hub.Url, path)) { Headers = { Range = range } });

    private static async Task<(long Bytes, bool IsWhole)> ReadAsync(Stream body)
    {
        var (bytes, buffer) = (0L, new byte[4096]);
        try
        {
            for (int read; (read = await body.ReadAsync(buffer)) > 0;) bytes += read;
            return (bytes, true);
        }
        catch (IOException)
        {
            return (bytes, false);
        }
    }
}
